"""Keys on a hardware token: OpenSSH signs with the token, and both readers verify."""

from __future__ import annotations

from pathlib import Path

import pytest

from medperf_git.errors import TrustError
from medperf_git.trust import keyring
from medperf_git.trust.handle import token_key
from medperf_git.trust.keyring import AgentSigner, FileSigner
from medperf_git.trust.keys import SK_ED25519
from medperf_git.trust.sshsig import Signature
from tests.support import token
from tests.trust.test_keyring import MESSAGE, SPACE, nobody, ssh_keygen, verified_by_openssh


@pytest.fixture
def handle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key on a token that is plugged in."""
    library = token.provider(tmp_path)
    monkeypatch.setenv("SSH_SK_PROVIDER", library)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return token.new_key(tmp_path / "id_ed25519_sk", library)


def test_the_token_signs(handle: Path, tmp_path: Path) -> None:
    target = tmp_path / "home" / "k"
    public = keyring.import_key(target, handle, nobody)
    assert public.algorithm == SK_ED25519
    assert public == keyring.public_key(handle)
    assert keyring.is_elsewhere(target)
    signer = keyring.signer(target, nobody)
    assert isinstance(signer, AgentSigner)
    made = signer.sign(MESSAGE, SPACE)
    Signature.parse(made).verify(MESSAGE, SPACE)
    assert verified_by_openssh(tmp_path, public.text, made)


def test_a_token_that_nobody_touched(
    handle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSH takes such a signature unless it is told otherwise; a registry never does."""
    keyring.import_key(tmp_path / "k", handle, nobody)
    signer = keyring.signer(tmp_path / "k", nobody)
    monkeypatch.setenv(token.UNTOUCHED, "1")
    with pytest.raises(TrustError) as caught:
        signer.sign(MESSAGE, SPACE)
    assert "touch" in caught.value.message


def test_a_token_that_is_not_there(
    handle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring.import_key(tmp_path / "k", handle, nobody)
    signer = keyring.signer(tmp_path / "k", nobody)
    monkeypatch.setenv("SSH_SK_PROVIDER", "/nowhere/token.so")
    with pytest.raises(TrustError) as caught:
        signer.sign(MESSAGE, SPACE)
    assert (caught.value.code, caught.value.place) == ("agent", str(tmp_path / "k.pub"))
    assert "plugged in" in (caught.value.advice or "")


def test_only_a_token_s_file_is_a_handle(handle: Path, tmp_path: Path) -> None:
    ordinary = ssh_keygen(tmp_path / "ordinary")
    assert isinstance(keyring.signer(ordinary, nobody), FileSigner)
    assert token_key(ordinary.read_bytes()) is None
    payload = handle.read_bytes()
    assert token_key(payload) == keyring.public_key(handle)
    for end in range(0, 200, 7):
        assert token_key(payload[:end]) is None
