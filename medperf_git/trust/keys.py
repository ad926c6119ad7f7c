"""Ed25519 public keys in OpenSSH's form, read strictly.

One key has one spelling; points of small order, with which anybody can "sign" anything, and
non-canonical encodings are refused. Private keys are in ``keyring``.

Example:
    >>> PublicKey.parse("ssh-ed25519 AAAA")
    Traceback (most recent call last):
    medperf_git.errors.TrustError: not an OpenSSH Ed25519 public key: 'ssh-ed25519 AAAA'
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from medperf_git.errors import TrustError

ED25519: Final = "ssh-ed25519"
SK_ED25519: Final = "sk-ssh-ed25519@openssh.com"
_POINT_BYTES: Final = 32
_FIELD: Final = 2**255 - 19

# y coordinates of the points whose order divides 8 (RFC 8032 curve; the list is libsodium's
# ed25519_ref10 blocklist without its non-canonical members, which are refused anyway).
_SMALL_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            "little",
        ),
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
            "little",
        ),
    }
)


def pack(*fields: bytes) -> bytes:
    """SSH wire strings (RFC 4251 §5): each field with its length in four bytes before it."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


class Reader:
    """Reads SSH wire data; every read that leaves the buffer raises."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes.

        Raises:
            TrustError: there are fewer.
        """
        piece = self._payload[self._at : self._at + count]
        if len(piece) != count:
            raise TrustError("truncated", code="truncated")
        self._at += count
        return piece

    def string(self) -> bytes:
        """The next length-prefixed string.

        Raises:
            TrustError: it is cut off.
        """
        return self.take(int.from_bytes(self.take(4), "big"))

    def end(self) -> None:
        """Asserts that everything was read.

        Raises:
            TrustError: there is more.
        """
        if self._at != len(self._payload):
            raise TrustError("trailing data", code="trailing-data")


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key, on disk or in a hardware token.

    Attributes:
        algorithm: `ssh-ed25519` or `sk-ssh-ed25519@openssh.com`.
        point: the 32-byte encoded point (RFC 8032 §5.1.2).
        application: for hardware keys, the application string, such as `ssh:`.
    """

    algorithm: str
    point: bytes
    application: str = ""

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """The key that `algorithm base64` spells.

        Raises:
            TrustError: another algorithm, another spelling, or a weak key.
        """
        fault = TrustError(f"not an OpenSSH Ed25519 public key: {text[:80]!r}", code="bad-key")
        algorithm, _, encoded = text.partition(" ")
        try:
            key = cls.from_blob(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError) as error:
            raise fault from error
        except TrustError as error:
            if error.code == "weak-key":
                raise
            raise fault from error
        if key.text != text or key.algorithm != algorithm:
            raise fault
        return key

    @classmethod
    def from_blob(cls, blob: bytes) -> PublicKey:
        """The key in SSH wire form.

        Raises:
            TrustError: truncated, trailing data, another algorithm, or a weak key.
        """
        reader = Reader(blob)
        algorithm = reader.string()
        point = reader.string()
        application = reader.string() if algorithm == SK_ED25519.encode() else b""
        if algorithm not in (ED25519.encode(), SK_ED25519.encode()):
            raise TrustError(
                f"the algorithm {algorithm[:40]!r}; only Ed25519 keys are taken", code="bad-key"
            )
        reader.end()
        _refuse_weak(point)
        if not application.isascii():
            raise TrustError("an application that is not ASCII", code="bad-key")
        return cls(algorithm.decode(), point, application.decode())

    @property
    def blob(self) -> bytes:
        """The key in SSH wire form."""
        fields = [self.algorithm.encode(), self.point]
        if self.algorithm == SK_ED25519:
            fields.append(self.application.encode())
        return pack(*fields)

    @cached_property
    def text(self) -> str:
        """`algorithm base64`, without a comment: its one spelling."""
        return f"{self.algorithm} {base64.b64encode(self.blob).decode()}"

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it: `SHA256:…`."""
        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _refuse_weak(point: bytes) -> None:
    if len(point) != _POINT_BYTES:
        raise TrustError(f"an Ed25519 key of {len(point)} bytes", code="bad-key")
    y = int.from_bytes(point, "little") & (2**255 - 1)
    if y >= _FIELD:
        raise TrustError("a point that is not canonically encoded", code="weak-key")
    if y in _SMALL_ORDER_Y:
        raise TrustError("a point of small order: anybody could sign for it", code="weak-key")
