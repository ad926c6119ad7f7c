"""SSHSIG signatures over exact bytes: made, read and verified.

The format is OpenSSH's PROTOCOL.sshsig; what passes here passes ``ssh-keygen -Y verify``. The
reader is stricter than OpenSSH: one armour, SHA-512 alone, Ed25519 alone, no trailing data.
Does not know who signs or what namespace is right: callers bring both.

Example:
    >>> from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    >>> private = Ed25519PrivateKey.generate()
    >>> armoured = sign(b"record", "mpgit-result-v1@00", private)
    >>> Signature.parse(armoured).verify(b"record", "mpgit-result-v1@00")
    >>> Signature.parse(armoured).verify(b"other", "mpgit-result-v1@00")
    Traceback (most recent call last):
    medperf_git.errors.TrustError: the signature does not fit these bytes
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from medperf_git.errors import TrustError
from medperf_git.trust.keys import ED25519, SK_ED25519, PublicKey, Reader, pack

MAX_BYTES: Final = 4096
MAGIC: Final = b"SSHSIG"
HASH: Final = b"sha512"
_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----\n"
_END: Final = "-----END SSH SIGNATURE-----\n"
_LINE: Final = 70
_SIGNATURE_BYTES: Final = 64
_USER_PRESENT: Final = 1


# A few people sign most of what is signed.
_key = lru_cache(maxsize=1024)(PublicKey.from_blob)
_verifier = lru_cache(maxsize=1024)(Ed25519PublicKey.from_public_bytes)


def signed_data(message: bytes, namespace: str) -> bytes:
    """What the key signs for `message` (PROTOCOL.sshsig §3)."""
    return MAGIC + pack(namespace.encode(), b"", HASH, hashlib.sha512(message).digest())


def sign(message: bytes, namespace: str, private: Ed25519PrivateKey) -> bytes:
    """The armoured signature of `message` by a private key in memory."""
    point = private.public_key().public_bytes_raw()
    raw = private.sign(signed_data(message, namespace))
    key = PublicKey(ED25519, point)
    blob = MAGIC + (1).to_bytes(4, "big")
    blob += pack(key.blob, namespace.encode(), b"", HASH, pack(ED25519.encode(), raw))
    return armour(blob)


def armour(blob: bytes) -> bytes:
    """The one armour of a signature: base64 in lines of 70, as OpenSSH writes it."""
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return (_BEGIN + "".join(line + "\n" for line in lines) + _END).encode()


@dataclass(frozen=True, slots=True)
class Signature:
    """A parsed signature; nothing is verified yet.

    Attributes:
        key: the key that claims to have signed.
        namespace: what it claims to be for.
        raw: the 64-byte Ed25519 signature (RFC 8032 §5.1.6).
        flags: for hardware keys, what the token asserted.
        counter: for hardware keys, the token's counter.
    """

    key: PublicKey
    namespace: str
    raw: bytes
    flags: int = 0
    counter: int = 0

    @classmethod
    def parse(cls, armoured: bytes) -> Signature:
        """The signature in an armoured file.

        Raises:
            TrustError: not the one spelling of an SSHSIG by an Ed25519 key.
        """
        if len(armoured) > MAX_BYTES:
            raise TrustError(f"{len(armoured)} bytes; at most {MAX_BYTES}", code="too-large")
        blob = _unarmour(armoured)
        reader = Reader(blob)
        if reader.take(len(MAGIC)) != MAGIC or reader.take(4) != (1).to_bytes(4, "big"):
            raise TrustError("not an SSHSIG of version 1", code="bad-signature-format")
        key = _key(reader.string())
        namespace, reserved, algorithm, inner = (reader.string() for _ in range(4))
        reader.end()
        if reserved or algorithm != HASH:
            raise TrustError(
                f"the hash {algorithm[:20]!r}; only sha512 is taken", code="bad-signature-format"
            )
        raw, flags, counter = _inner(inner, key)
        return cls(key, namespace.decode("utf-8", "replace"), raw, flags, counter)

    def verify(self, message: bytes, namespace: str) -> None:
        """Raises unless the key signed exactly these bytes for exactly this namespace.

        Raises:
            TrustError: another namespace, other bytes, or a token that nobody touched.
        """
        if self.namespace != namespace:
            raise TrustError(
                f"signed for {self.namespace[:80]!r}, not for {namespace!r}", code="wrong-namespace"
            )
        data = signed_data(message, namespace)
        if self.key.algorithm == SK_ED25519:
            if not self.flags & _USER_PRESENT:
                raise TrustError("the hardware key was not touched", code="no-user-presence")
            # PROTOCOL.u2f: the token signs its application, flags and counter along.
            data = (
                hashlib.sha256(self.key.application.encode()).digest()
                + bytes([self.flags])
                + self.counter.to_bytes(4, "big")
                + hashlib.sha256(data).digest()
            )
        try:
            _verifier(self.key.point).verify(self.raw, data)
        except InvalidSignature as error:
            raise TrustError(
                "the signature does not fit these bytes", code="bad-signature"
            ) from error


def _unarmour(armoured: bytes) -> bytes:
    fault = TrustError("not an armoured SSH signature", code="bad-signature-format")
    try:
        text = armoured.decode("ascii")
        body = text.removeprefix(_BEGIN).removesuffix(_END).replace("\n", "")
        blob = base64.b64decode(body, validate=True)
    except (UnicodeDecodeError, binascii.Error, ValueError) as error:
        raise fault from error
    if armour(blob) != armoured:
        raise fault
    return blob


def _inner(inner: bytes, key: PublicKey) -> tuple[bytes, int, int]:
    reader = Reader(inner)
    algorithm = reader.string()
    raw = reader.string()
    flags = counter = 0
    if key.algorithm == SK_ED25519:
        flags = reader.take(1)[0]
        counter = int.from_bytes(reader.take(4), "big")
    reader.end()
    if algorithm.decode("ascii", "replace") != key.algorithm or len(raw) != _SIGNATURE_BYTES:
        raise TrustError("the signature is not one of its key's kind", code="bad-signature-format")
    return raw, flags, counter
