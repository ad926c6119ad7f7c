"""Private keys on this machine, and signing with them.

Keys are ordinary OpenSSH files. A key whose private half is not here (an agent, a hardware
token) signs through ``ssh-keygen -Y sign``, which itself asks for a touch or a PIN. Never prints
or asks: callers bring a function that asks for a passphrase.

Example:
    >>> import tempfile
    >>> made = create(Path(tempfile.mkdtemp()) / "k", passphrase=None)
    >>> made.algorithm
    'ssh-ed25519'
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from medperf_git.atomic import write_bytes
from medperf_git.errors import TrustError
from medperf_git.trust import sshsig
from medperf_git.trust.handle import token_key
from medperf_git.trust.keys import ED25519, SK_ED25519, PublicKey

AskPassphrase = Callable[[str], str | None]
"""Given the key's name, the passphrase, or None where nobody can be asked."""

_OTHER_KEY: Final = "make a key of its own: `mpgit key create NAME`, or `ssh-keygen -t ed25519`"


class Signer(Protocol):
    """Something that can sign."""

    @property
    def public(self) -> PublicKey:
        """The public key that signatures verify with."""

    def sign(self, message: bytes, namespace: str) -> bytes:
        """The armoured signature."""


@dataclass(frozen=True, slots=True)
class FileSigner:
    """Signs with a private key in memory."""

    public: PublicKey
    private: Ed25519PrivateKey

    def sign(self, message: bytes, namespace: str) -> bytes:
        """The armoured signature."""
        return sshsig.sign(message, namespace, self.private)


@dataclass(frozen=True, slots=True)
class AgentSigner:
    """Signs through ``ssh-keygen``: the private key is in an agent or on a token."""

    public: PublicKey
    file: Path

    def sign(self, message: bytes, namespace: str) -> bytes:
        """The armoured signature.

        Raises:
            TrustError: ssh-keygen could not sign.
        """
        command = ["ssh-keygen", "-Y", "sign", "-f", str(self.file), "-n", namespace, "-q"]
        # "Confirm user presence": somebody has to read it, or nobody touches the token.
        speaks = self.public.algorithm == SK_ED25519 and sys.stderr.isatty()
        stderr = None if speaks else subprocess.PIPE
        try:
            done = subprocess.run(
                command, input=message, stdout=subprocess.PIPE, stderr=stderr, check=False
            )
        except OSError as error:
            raise TrustError(
                "ssh-keygen is not installed", code="no-ssh-keygen", advice="install OpenSSH"
            ) from error
        if done.returncode != 0:
            raise TrustError(
                f"ssh-keygen could not sign: {_last_line(done.stderr or b'see above')}",
                code="agent",
                place=str(self.file),
                advice="is the agent running and the token plugged in? `ssh-add -l` lists keys",
            )
        # ssh-keygen's own armour is the one that the reader takes.
        sshsig.Signature.parse(done.stdout).verify(message, namespace)
        return done.stdout


def create(path: Path, *, passphrase: str | None) -> PublicKey:
    """A new Ed25519 key pair at `path` and `path`.pub.

    Args:
        path: the private key's file; only its owner may read it.
        passphrase: encrypts the private key; None leaves it open.

    Raises:
        TrustError: a key of this name is there already; it is never overwritten.
    """
    _refuse_existing(path)
    return _save(path, Ed25519PrivateKey.generate(), passphrase)


def import_key(path: Path, source: Path, ask: AskPassphrase) -> PublicKey:
    """Copies an existing Ed25519 key, such as ``~/.ssh/id_ed25519``, passphrase included.

    A token's handle (``~/.ssh/id_ed25519_sk``) is copied as it is: the token signs. A lone public
    key is copied alone: an agent signs.

    Raises:
        TrustError: a key of this name is there already, or the source is no Ed25519 key.
    """
    _refuse_existing(path)
    payload = _read(source)
    token = token_key(payload)
    if token is not None:
        public = token
        write_bytes(path, payload)
    elif payload.startswith((b"ssh-", b"sk-ssh-")):
        fields = payload.decode("utf-8", "replace").split()
        public = PublicKey.parse(" ".join(fields[:2]))
    else:
        public = PublicKey(ED25519, _load(source, ask).public_key().public_bytes_raw())
        write_bytes(path, payload)
    write_bytes(_public_file(path), f"{public.text}\n".encode(), mode=0o644)
    return public


def _refuse_existing(path: Path) -> None:
    for file in (path, _public_file(path)):
        if file.exists():
            raise TrustError(
                f"a key named {path.name} is there already",
                code="key-exists",
                place=str(file),
                advice="choose another name: `mpgit key create NAME`",
            )


def _save(path: Path, private: Ed25519PrivateKey, passphrase: str | None) -> PublicKey:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    payload = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, encryption
    )
    public = PublicKey(ED25519, private.public_key().public_bytes_raw())
    write_bytes(path, payload)
    write_bytes(_public_file(path), f"{public.text}\n".encode(), mode=0o644)
    return public


def _public_file(path: Path) -> Path:
    return path.with_name(path.name + ".pub")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TrustError(
            f"no such key: {error.strerror}",
            code="key-missing",
            place=str(path),
            advice="`mpgit key ls` lists keys, `mpgit key create` makes one",
        ) from error


def public_key(path: Path) -> PublicKey:
    """The public half of a key on this machine.

    Raises:
        TrustError: it is missing or not an Ed25519 key.
    """
    fields = _read(_public_file(path)).decode("utf-8", "replace").split()
    return PublicKey.parse(" ".join(fields[:2]))


def signer(path: Path, ask: AskPassphrase) -> Signer:
    """What signs with the key at `path`: the file itself, or an agent.

    An agent signs where the private half is not here, or is locked and the agent has it.

    Raises:
        TrustError: missing, locked, or not an Ed25519 key.
    """
    public = public_key(path)
    if is_elsewhere(path) or (_is_locked(_read(path)) and _agent_has(public)):
        return AgentSigner(public, _public_file(path))
    private = _load(path, ask)
    if private.public_key().public_bytes_raw() != public.point:
        raise TrustError(
            f"{path.name} and {path.name}.pub are not one pair",
            code="key-pair",
            place=str(path),
            advice=f"write the public half anew: ssh-keygen -y -f {path} > {_public_file(path)}",
        )
    return FileSigner(public, private)


def is_elsewhere(path: Path) -> bool:
    """Whether the secret of a key is not on this machine, but in an agent or on a token."""
    return not path.exists() or token_key(_read(path)) is not None


def _last_line(said: bytes) -> str:
    return (said.decode("utf-8", "replace").strip().splitlines() or ["it does not say why"])[-1]


def _is_locked(payload: bytes) -> bool:
    try:
        serialization.load_ssh_private_key(payload, password=None)
    except TypeError:  # cryptography's way to say: a passphrase is needed
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return False


def _agent_has(public: PublicKey) -> bool:
    if "SSH_AUTH_SOCK" not in os.environ:
        return False
    try:
        done = subprocess.run(["ssh-add", "-L"], capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    held = (line.split()[:2] for line in done.stdout.decode("utf-8", "replace").splitlines())
    return public.text.split() in held


def _load(path: Path, ask: AskPassphrase) -> Ed25519PrivateKey:
    payload = _read(path)
    private: object
    try:
        private = serialization.load_ssh_private_key(payload, password=None)
    except TypeError as error:  # cryptography's way to say: a passphrase is needed
        passphrase = ask(path.name)
        if passphrase is None:
            raise TrustError(
                f"the key {path.name} is protected by a passphrase",
                code="passphrase-needed",
                place=str(path),
                advice=f"run it in a terminal, set MPGIT_PASSPHRASE, or: ssh-add {path}",
            ) from error
        private = _unlock(path, payload, passphrase)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrustError(
            f"not an OpenSSH private key: {error}",
            code="bad-key",
            place=str(path),
            advice=_OTHER_KEY,
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise TrustError("not an Ed25519 key", code="bad-key", place=str(path), advice=_OTHER_KEY)
    return private


def _unlock(path: Path, payload: bytes, passphrase: str) -> object:
    try:
        return serialization.load_ssh_private_key(payload, password=passphrase.encode())
    except (ValueError, TypeError) as error:  # TypeError: an empty one
        raise TrustError(
            "the passphrase is wrong",
            code="passphrase-wrong",
            place=str(path),
            advice="type it again, or set MPGIT_PASSPHRASE to the right one; nothing was signed",
        ) from error


def names(folder: Path) -> list[str]:
    """The keys in a folder, by name."""
    return sorted(file.name.removesuffix(".pub") for file in folder.glob("*.pub"))
