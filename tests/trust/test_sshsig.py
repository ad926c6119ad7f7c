"""SSHSIG both ways against OpenSSH, and a table of signatures that must not pass."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from medperf_git.errors import TrustError
from medperf_git.trust.keys import ED25519, SK_ED25519, PublicKey, pack
from medperf_git.trust.sshsig import HASH, MAGIC, Signature, armour, sign, signed_data
from tests.checks.cases import WEAK_POINTS
from tests.support.simulator import private_key, public_key

MESSAGE = b"kind: result\n"
NAMESPACE = "mpgit-result-v1@" + "ab" * 16
KEY = private_key("ky")
POINT = KEY.public_key().public_bytes_raw()
ORDER = 2**252 + 27742317777372353535851937790883648493
VERSION = (1).to_bytes(4, "big")
GOOD = sign(MESSAGE, NAMESPACE, KEY)


def body(armoured: bytes) -> bytes:
    return base64.b64decode(b"".join(armoured.split(b"\n")[1:-2]))


@pytest.fixture
def ssh(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs ssh-keygen in a folder that holds ky's private key as `key`."""
    raw = KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    (tmp_path / "key").write_bytes(raw)
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "signers").write_text(f"ky {public_key('ky')}\n")

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["ssh-keygen", *arguments],
            cwd=tmp_path,
            input=MESSAGE,
            capture_output=True,
            check=False,
        )

    return run


Ssh = Callable[..., subprocess.CompletedProcess[bytes]]


def verify_with_openssh(ssh: Ssh, folder: Path, armoured: bytes) -> bool:
    (folder / "sig").write_bytes(armoured)
    done = ssh("-Y", "verify", "-f", "signers", "-I", "ky", "-n", NAMESPACE, "-s", "sig")
    return done.returncode == 0


def test_openssh_signs_the_same_bytes(ssh: Ssh, tmp_path: Path) -> None:
    assert ssh("-Y", "sign", "-f", "key", "-n", NAMESPACE, "message").returncode == 0
    made = (tmp_path / "message.sig").read_bytes()
    Signature.parse(made).verify(MESSAGE, NAMESPACE)
    assert made == GOOD  # Ed25519 is deterministic, and there is one armour


def test_openssh_verifies_what_we_sign(ssh: Ssh, tmp_path: Path) -> None:
    assert verify_with_openssh(ssh, tmp_path, GOOD)
    assert not verify_with_openssh(ssh, tmp_path, sign(MESSAGE, NAMESPACE + "x", KEY))
    assert not verify_with_openssh(ssh, tmp_path, sign(MESSAGE + b"x", NAMESPACE, KEY))
    assert not verify_with_openssh(ssh, tmp_path, sign(MESSAGE, NAMESPACE, private_key("ms")))


@pytest.mark.parametrize(("kind", "bits"), [("rsa", "2048"), ("ecdsa", "256")])
def test_other_algorithms_are_refused(ssh: Ssh, tmp_path: Path, kind: str, bits: str) -> None:
    assert ssh("-q", "-t", kind, "-b", bits, "-N", "", "-f", "other").returncode == 0
    assert ssh("-Y", "sign", "-f", "other", "-n", NAMESPACE, "message").returncode == 0
    with pytest.raises(TrustError):
        Signature.parse((tmp_path / "message.sig").read_bytes())


def test_sha256_is_refused(ssh: Ssh, tmp_path: Path) -> None:
    done = ssh("-Y", "sign", "-f", "key", "-n", NAMESPACE, "-O", "hashalg=sha256", "message")
    assert done.returncode == 0
    made = (tmp_path / "message.sig").read_bytes()
    assert verify_with_openssh(ssh, tmp_path, made)
    with pytest.raises(TrustError, match="sha512"):
        Signature.parse(made)


def blob(
    *,
    version: bytes = VERSION,
    key: bytes | None = None,
    namespace: bytes = NAMESPACE.encode(),
    reserved: bytes = b"",
    hashed: bytes = HASH,
    inner: bytes | None = None,
    magic: bytes = MAGIC,
) -> bytes:
    """A signature whose parts can be replaced."""
    raw = KEY.sign(signed_data(MESSAGE, NAMESPACE))
    key = PublicKey(ED25519, POINT).blob if key is None else key
    inner = pack(b"ssh-ed25519", raw) if inner is None else inner
    return magic + version + pack(key, namespace, reserved, hashed, inner)


def test_the_parts_make_the_good_one() -> None:
    assert armour(blob()) == GOOD


def malleable() -> bytes:
    """The same signature with S + L for S: another spelling of one signature (RFC 8032 §8.4)."""
    raw = KEY.sign(signed_data(MESSAGE, NAMESPACE))
    s = int.from_bytes(raw[32:], "little") + ORDER
    return pack(b"ssh-ed25519", raw[:32] + s.to_bytes(32, "little"))


def padding_bits(armoured: bytes) -> bytes:
    """The same base64 with other unused bits before the padding, where there is one."""
    lines = armoured.split(b"\n")
    last = lines[-3]
    assert last.endswith(b"=")
    stem = last.rstrip(b"=")
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    changed = alphabet[alphabet.index(stem[-1:]) + 1 :][:1]
    lines[-3] = stem[:-1] + changed + last[len(stem) :]
    return b"\n".join(lines)


SK_KEY = PublicKey(SK_ED25519, POINT, "ssh:").blob
RAW = KEY.sign(signed_data(MESSAGE, NAMESPACE))
BAD: dict[str, bytes] = {
    "nothing": b"",
    "only-lines": b"\n\n",
    "truncated": GOOD[:-60],
    "no-last-newline": GOOD[:-1],
    "no-first-line": GOOD[len(b"-----BEGIN SSH SIGNATURE-----\n") :],
    "trailing-newline": GOOD + b"\n",
    "trailing-text": GOOD + b"x",
    "leading-text": b"Comment: x\n" + GOOD,
    "twice": GOOD + GOOD,
    "crlf": GOOD.replace(b"\n", b"\r\n"),
    "lines-of-64": GOOD[:100] + b"\n" + GOOD[100:],
    "one-line": b"-----BEGIN SSH SIGNATURE-----\n"
    + base64.b64encode(body(GOOD))
    + b"\n-----END SSH SIGNATURE-----\n",
    "space": GOOD[:100] + b" " + GOOD[100:],
    "not-ascii": GOOD[:100] + "é".encode() + GOOD[100:],
    "nul": GOOD[:100] + b"\0" + GOOD[100:],
    "too-large": GOOD + b"x" * 5000,
    "trailing-data": armour(blob() + b"\0"),
    "truncated-data": armour(blob()[:-1]),
    "no-data": armour(b""),
    "other-magic": armour(blob(magic=b"SSHSIH")),
    "version-0": armour(blob(version=bytes(4))),
    "version-2": armour(blob(version=(2).to_bytes(4, "big"))),
    "reserved": armour(blob(reserved=b"x")),
    "sha256": armour(blob(hashed=b"sha256")),
    "sha1": armour(blob(hashed=b"sha1")),
    "hash-in-capitals": armour(blob(hashed=b"SHA512")),
    "key-with-trailing-data": armour(blob(key=PublicKey(ED25519, POINT).blob + b"x")),
    "key-is-rsa": armour(blob(key=pack(b"ssh-rsa", b"\1\0\1", b"n" * 256))),
    "key-is-sk-but-signature-is-not": armour(blob(key=SK_KEY)),
    "signature-is-sk-but-key-is-not": armour(
        blob(inner=pack(SK_ED25519.encode(), RAW) + b"\1" + bytes(4))
    ),
    "sk-without-flags": armour(blob(key=SK_KEY, inner=pack(SK_ED25519.encode(), RAW))),
    "inner-trailing-data": armour(blob(inner=pack(b"ssh-ed25519", RAW) + b"\0")),
    "inner-short": armour(blob(inner=pack(b"ssh-ed25519", RAW[:63]))),
    "inner-long": armour(blob(inner=pack(b"ssh-ed25519", RAW + b"\0"))),
    "inner-other-name": armour(blob(inner=pack(b"ssh-ed448", RAW))),
    **{
        f"key-{name}": armour(blob(key=pack(b"ssh-ed25519", bytes.fromhex(point))))
        for name, point in WEAK_POINTS.items()
    },
}


@pytest.mark.parametrize("name", BAD)
def test_malformed_signatures_are_refused(name: str) -> None:
    with pytest.raises(TrustError):
        Signature.parse(BAD[name])


def test_unused_bits_of_base64_are_refused() -> None:
    for length in range(3):  # some length of namespace makes padding
        namespace = NAMESPACE + "x" * length
        signature = sign(MESSAGE, namespace, KEY)
        if signature.split(b"\n")[-3].endswith(b"="):
            Signature.parse(signature)
            with pytest.raises(TrustError):
                Signature.parse(padding_bits(signature))
            return
    pytest.fail("no padding in three lengths")


UNTRUE: dict[str, bytes] = {
    "other-bytes": sign(MESSAGE + b"\n", NAMESPACE, KEY),
    "other-namespace": sign(MESSAGE, "file", KEY),
    "longer-namespace": sign(MESSAGE, NAMESPACE + "0", KEY),
    "namespace-only-said": armour(
        blob(inner=pack(b"ssh-ed25519", KEY.sign(signed_data(MESSAGE, "file"))))
    ),
    "namespace-not-text": armour(blob(namespace=b"\xff" + NAMESPACE.encode())),
    "no-namespace": armour(blob(namespace=b"")),
    "bare-message": armour(blob(inner=pack(b"ssh-ed25519", KEY.sign(MESSAGE)))),
    "bare-hash": armour(
        blob(inner=pack(b"ssh-ed25519", KEY.sign(hashlib.sha512(MESSAGE).digest())))
    ),
    "zero": armour(blob(inner=pack(b"ssh-ed25519", bytes(64)))),
    "another-key-said": armour(
        blob(key=PublicKey(ED25519, private_key("ms").public_key().public_bytes_raw()).blob)
    ),
    "malleable": armour(blob(inner=malleable())),
    "point-off-the-curve": armour(blob(key=pack(b"ssh-ed25519", (2).to_bytes(32, "little")))),
}


@pytest.mark.parametrize("name", UNTRUE)
def test_untrue_signatures_do_not_verify(name: str) -> None:
    with pytest.raises(TrustError):
        Signature.parse(UNTRUE[name]).verify(MESSAGE, NAMESPACE)


# --- hardware keys --------------------------------------------------------------------------


def by_token(flags: int, *, claimed: int | None = None, application: str = "ssh:") -> bytes:
    """What a token makes (PROTOCOL.u2f): made here with a key in memory."""
    counter = (7).to_bytes(4, "big")
    data = signed_data(MESSAGE, NAMESPACE)
    digest = hashlib.sha256(application.encode()).digest()
    raw = KEY.sign(digest + bytes([flags]) + counter + hashlib.sha256(data).digest())
    said = flags if claimed is None else claimed
    inner = pack(SK_ED25519.encode(), raw) + bytes([said]) + counter
    return armour(blob(key=SK_KEY, inner=inner))


def test_token_signature_verifies_here_and_in_openssh(ssh: Ssh, tmp_path: Path) -> None:
    signature = by_token(1)
    Signature.parse(signature).verify(MESSAGE, NAMESPACE)
    (tmp_path / "signers").write_text(f"ky {PublicKey(SK_ED25519, POINT, 'ssh:').text}\n")
    assert verify_with_openssh(ssh, tmp_path, signature)


@pytest.mark.parametrize(
    "signature",
    [by_token(0), by_token(4), by_token(0, claimed=1), by_token(1, application="ssh:other")],
)
def test_untouched_or_altered_tokens_are_refused(signature: bytes) -> None:
    with pytest.raises(TrustError):
        Signature.parse(signature).verify(MESSAGE, NAMESPACE)


# --- any bytes ------------------------------------------------------------------------------


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    for armoured in (payload, armour(payload), armour(MAGIC + VERSION + payload)):
        try:
            Signature.parse(armoured)
        except TrustError:
            continue


@settings(max_examples=300)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_changed_byte_passes(at: int, change: int) -> None:
    changed = GOOD[:at] + bytes([GOOD[at] ^ change]) + GOOD[at + 1 :]
    with pytest.raises(TrustError):
        Signature.parse(changed).verify(MESSAGE, NAMESPACE)


@given(st.binary(max_size=200), st.from_regex(r"[a-z@0-9-]{1,60}", fullmatch=True))
def test_signing_and_verifying_agree(message: bytes, namespace: str) -> None:
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(message).digest())
    Signature.parse(sign(message, namespace, key)).verify(message, namespace)
