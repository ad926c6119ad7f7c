"""Private keys on this machine, held against OpenSSH itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from medperf_git.errors import TrustError
from medperf_git.trust import keyring
from medperf_git.trust.keyring import AgentSigner, FileSigner
from medperf_git.trust.sshsig import Signature

SPACE = "mpgit-test-v1"
MESSAGE = b"kind: dataset\n"
PASSPHRASE = "correct horse"  # noqa: S105 (protects a key that a test makes)
HEAD, TAIL = (f"-----{word} OPENSSH PRIVATE KEY-----\n" for word in ("BEGIN", "END"))


def nobody(_name: str) -> str | None:
    return None


def ssh_keygen(path: Path, *words: str, passphrase: str = "") -> Path:
    command = ["ssh-keygen", "-q", *(words or ("-t", "ed25519")), "-N", passphrase, "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def verified_by_openssh(folder: Path, public: str, signature: bytes) -> bool:
    (folder / "allowed").write_text(f'ky namespaces="{SPACE}" {public}\n')
    (folder / "sig").write_bytes(signature)
    words = ["ssh-keygen", "-Y", "verify", "-f", str(folder / "allowed"), "-I", "ky", "-n", SPACE]
    done = subprocess.run(
        [*words, "-s", str(folder / "sig")], input=MESSAGE, capture_output=True, check=False
    )
    return done.returncode == 0


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_a_key_that_we_make_is_openssh_s(tmp_path: Path, passphrase: str | None) -> None:
    path = tmp_path / "keys" / "k"
    public = keyring.create(path, passphrase=passphrase)
    words = ["ssh-keygen", "-y", "-P", passphrase or "", "-f", str(path)]
    told = subprocess.run(words, capture_output=True, check=True, text=True).stdout
    assert told.split()[:2] == public.text.split()
    assert path.stat().st_mode & 0o777 == 0o600
    assert keyring.public_key(path) == public
    assert keyring.names(path.parent) == ["k"]
    if passphrase:
        wrong = subprocess.run([*words[:3], "wrong", *words[4:]], capture_output=True, check=False)
        assert wrong.returncode != 0


@pytest.mark.parametrize("passphrase", ["", "correct horse"])
def test_openssh_verifies_what_an_openssh_key_signs_here(tmp_path: Path, passphrase: str) -> None:
    path = ssh_keygen(tmp_path / "k", passphrase=passphrase)
    signer = keyring.signer(path, lambda _name: passphrase)
    assert isinstance(signer, FileSigner)
    assert verified_by_openssh(tmp_path, signer.public.text, signer.sign(MESSAGE, SPACE))


def test_an_imported_key_keeps_its_passphrase(tmp_path: Path) -> None:
    source = ssh_keygen(tmp_path / "id_ed25519", passphrase=PASSPHRASE)
    target = tmp_path / "home" / "k"
    public = keyring.import_key(target, source, lambda _name: PASSPHRASE)
    assert target.read_bytes() == source.read_bytes()
    assert keyring.public_key(target) == public
    with pytest.raises(TrustError) as caught:
        keyring.signer(target, nobody)
    assert caught.value.code == "passphrase-needed"


def test_a_lone_public_key_signs_elsewhere(tmp_path: Path) -> None:
    source = ssh_keygen(tmp_path / "id_ed25519")
    target = tmp_path / "home" / "k"
    keyring.import_key(target, source.with_suffix(".pub"), nobody)
    assert not target.exists()
    assert isinstance(keyring.signer(target, nobody), AgentSigner)


@pytest.mark.parametrize("existing", ["k", "k.pub"])
def test_nothing_is_overwritten(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("mine")
    source = ssh_keygen(tmp_path / "other")
    with pytest.raises(TrustError) as creating:
        keyring.create(tmp_path / "k", passphrase=None)
    with pytest.raises(TrustError) as importing:
        keyring.import_key(tmp_path / "k", source, nobody)
    assert creating.value.code == importing.value.code == "key-exists"
    assert (tmp_path / existing).read_text() == "mine"


OTHER_KEYS = {
    "rsa": ("-t", "rsa", "-b", "2048"),
    "ecdsa": ("-t", "ecdsa"),
    "old format": ("-t", "rsa", "-b", "2048", "-m", "PEM"),
}


@pytest.mark.parametrize("name", OTHER_KEYS)
def test_only_ed25519(tmp_path: Path, name: str) -> None:
    source = ssh_keygen(tmp_path / "other", *OTHER_KEYS[name])
    for path in (source, source.with_suffix(".pub")):
        with pytest.raises(TrustError):
            keyring.import_key(tmp_path / "k", path, nobody)
        assert not (tmp_path / "k").exists()
        assert not (tmp_path / "k.pub").exists()


BROKEN = {
    "no bytes": b"",
    "text": b"secret\n",
    "cut off": f"{HEAD}b3Blbg==\n{TAIL}".encode(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_private_key(tmp_path: Path, name: str) -> None:
    path = ssh_keygen(tmp_path / "k")
    path.write_bytes(BROKEN[name])
    with pytest.raises(TrustError) as caught:
        keyring.signer(path, nobody)
    assert caught.value.place == str(path)
    assert caught.value.advice


@pytest.mark.parametrize(
    ("given", "code"),
    [(None, "passphrase-needed"), ("wrong", "passphrase-wrong"), ("", "passphrase-wrong")],
)
def test_a_locked_key_stays_locked(tmp_path: Path, given: str | None, code: str) -> None:
    path = ssh_keygen(tmp_path / "k", passphrase=PASSPHRASE)
    asked: list[str] = []

    def ask(name: str) -> str | None:
        asked.append(name)
        return given

    with pytest.raises(TrustError) as caught:
        keyring.signer(path, ask)
    assert (caught.value.code, asked) == (code, ["k"])
    assert caught.value.advice


def test_an_open_key_asks_nobody(tmp_path: Path) -> None:
    def ask(_name: str) -> str | None:
        raise AssertionError

    signer = keyring.signer(ssh_keygen(tmp_path / "k"), ask)
    Signature.parse(signer.sign(MESSAGE, SPACE)).verify(MESSAGE, SPACE)


def test_two_halves_of_different_pairs(tmp_path: Path) -> None:
    path, other = ssh_keygen(tmp_path / "k"), ssh_keygen(tmp_path / "o")
    path.write_bytes(other.read_bytes())
    with pytest.raises(TrustError) as caught:
        keyring.signer(path, nobody)
    assert caught.value.code == "key-pair"


def test_a_missing_key(tmp_path: Path) -> None:
    with pytest.raises(TrustError) as reading:
        keyring.public_key(tmp_path / "k")
    with pytest.raises(TrustError) as signing:
        keyring.signer(tmp_path / "k", nobody)
    assert reading.value.code == signing.value.code == "key-missing"
    assert keyring.names(tmp_path / "nothing") == []


def test_without_ssh_keygen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ssh_keygen(tmp_path / "k")
    path.unlink()
    signer = keyring.signer(path, nobody)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TrustError) as caught:
        signer.sign(MESSAGE, SPACE)
    assert caught.value.code == "no-ssh-keygen"
