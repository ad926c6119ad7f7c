"""Public keys: one spelling, Ed25519 alone, no weak points."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from medperf_git.errors import TrustError
from medperf_git.trust.keys import ED25519, SK_ED25519, PublicKey, Reader, pack
from tests.checks.cases import WEAK_POINTS
from tests.support.simulator import public_key

POINT = Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key().public_bytes_raw()


def encoded(blob: bytes) -> str:
    return base64.b64encode(blob).decode()


def wire(*fields: bytes) -> str:
    return encoded(pack(*fields))


@pytest.mark.parametrize("application", ["", "ssh:", "ssh:registry"])
def test_key_has_one_spelling(application: str) -> None:
    key = PublicKey(SK_ED25519 if application else ED25519, POINT, application)
    assert PublicKey.parse(key.text) == key
    assert PublicKey.from_blob(key.blob) == key


GOOD = wire(b"ssh-ed25519", POINT)
BAD = {
    "nothing": "",
    "no-blob": "ssh-ed25519",
    "empty-blob": "ssh-ed25519 ",
    "comment": f"ssh-ed25519 {GOOD} ky@example",
    "options": f'from="*" ssh-ed25519 {GOOD}',
    "two-spaces": f"ssh-ed25519  {GOOD}",
    "newline": f"ssh-ed25519 {GOOD}\n",
    "no-padding": f"ssh-ed25519 {wire(b'ssh-ed25519', POINT[:31]).rstrip('=')}",
    "padding-bits": f"sk-ssh-ed25519@openssh.com {wire(SK_ED25519.encode(), POINT, b's')[:-2]}J=",
    "other-name": f"sk-ssh-ed25519@openssh.com {GOOD}",
    "name-in-capitals": f"SSH-ED25519 {GOOD}",
    "rsa": f"ssh-rsa {wire(b'ssh-rsa', bytes([1, 0, 1]), b'n' * 256)}",
    "ecdsa": "ecdsa-sha2-nistp256 " + wire(b"ecdsa-sha2-nistp256", b"nistp256", b"\4" + b"x" * 64),
    "certificate": f"ssh-ed25519-cert-v01@openssh.com {wire(b'ssh-ed25519-cert-v01@openssh.com')}",
    "short-point": f"ssh-ed25519 {wire(b'ssh-ed25519', POINT[:31])}",
    "long-point": f"ssh-ed25519 {wire(b'ssh-ed25519', POINT + b'x')}",
    "trailing-field": f"ssh-ed25519 {wire(b'ssh-ed25519', POINT, b'')}",
    "truncated": "ssh-ed25519 " + encoded(pack(b"ssh-ed25519", POINT)[:-1]),
    "sk-without-application": f"sk-ssh-ed25519@openssh.com {wire(SK_ED25519.encode(), POINT)}",
    "sk-application-not-text": "sk-ssh-ed25519@openssh.com "
    + wire(SK_ED25519.encode(), POINT, b"\xff"),
    "huge-length": "ssh-ed25519 " + encoded(b"\xff\xff\xff\xff" + b"x" * 40),
}


@pytest.mark.parametrize("name", BAD)
def test_other_spellings_are_refused(name: str) -> None:
    with pytest.raises(TrustError):
        PublicKey.parse(BAD[name])


@pytest.mark.parametrize("name", WEAK_POINTS)
@pytest.mark.parametrize("algorithm", [ED25519, SK_ED25519])
def test_weak_points_are_refused(name: str, algorithm: str) -> None:
    key = PublicKey(
        algorithm, bytes.fromhex(WEAK_POINTS[name]), "ssh:" if "sk" in algorithm else ""
    )
    with pytest.raises(TrustError) as caught:
        PublicKey.parse(key.text)
    assert caught.value.code == "weak-key"


def test_every_small_order_point_is_on_the_list() -> None:
    """The eight torsion points, computed: multiples of one of order eight (RFC 8032 §5.1)."""
    prime = 2**255 - 19
    d = -121665 * pow(121666, -1, prime) % prime
    root = pow(2, (prime - 1) // 4, prime)

    def add(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
        (x1, y1), (x2, y2) = left, right
        cross = d * x1 * x2 * y1 * y2
        x = (x1 * y2 + x2 * y1) * pow(1 + cross, -1, prime)
        y = (y1 * y2 + x1 * x2) * pow(1 - cross, -1, prime)
        return x % prime, y % prime

    y = int.from_bytes(bytes.fromhex(WEAK_POINTS["order-eight"]), "little")
    square = (y * y - 1) * pow(d * y * y + 1, -1, prime) % prime
    x = pow(square, (prime + 3) // 8, prime)
    x = x if x * x % prime == square else x * root % prime
    assert x * x % prime == square
    points, point = set(), (0, 1)
    for _ in range(8):
        point = add(point, (x, y))
        points.add(point)
    assert len(points) == 8
    for px, py in points:
        blob = (py | (px & 1) << 255).to_bytes(32, "little")
        with pytest.raises(TrustError, match="small order"):
            PublicKey.from_blob(pack(b"ssh-ed25519", blob))


def test_fingerprint_is_that_of_ssh_keygen(tmp_path: Path) -> None:
    text = public_key("ky")
    (tmp_path / "key.pub").write_text(text + "\n")
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(tmp_path / "key.pub")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.split()[1] == PublicKey.parse(text).fingerprint


@given(st.binary(max_size=120))
def test_any_blob_is_read_or_refused(blob: bytes) -> None:
    try:
        key = PublicKey.from_blob(blob)
    except TrustError:
        return
    assert key.blob == blob


@given(st.text(max_size=120))
def test_any_text_is_read_or_refused(text: str) -> None:
    for spelled in (text, f"ssh-ed25519 {text}"):
        try:
            key = PublicKey.parse(spelled)
        except TrustError:
            continue
        assert key.text == spelled


def test_reader_stops_at_the_end() -> None:
    reader = Reader(pack(b"a", b"bc"))
    assert (reader.string(), reader.string()) == (b"a", b"bc")
    reader.end()
    with pytest.raises(TrustError):
        reader.string()
