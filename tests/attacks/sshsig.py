"""SSH signatures put together field by field, sound or not (OpenSSH's PROTOCOL.sshsig).

Example:
    >>> from tests.support.simulator import private_key
    >>> signed(b"record", "mpgit-result-v1@00", private_key("ky"))[:29]
    b'-----BEGIN SSH SIGNATURE-----'
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""The order of Ed25519's base point (RFC 8032 §5.1)."""
BEGIN: Final = "-----BEGIN SSH SIGNATURE-----\n"
END: Final = "-----END SSH SIGNATURE-----\n"
SK: Final = "sk-ssh-ed25519@openssh.com"


def pack(*fields: bytes) -> bytes:
    """SSH strings: each with its length before it."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def armour(blob: bytes, width: int = 70) -> bytes:
    """The text around a signature, in lines of `width`."""
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + width] + "\n" for at in range(0, len(text), width)]
    return (BEGIN + "".join(lines) + END).encode()


def unarmour(signature: bytes) -> bytes:
    """The bytes inside the text."""
    body = signature.decode().removeprefix(BEGIN).removesuffix(END)
    return base64.b64decode(body.replace("\n", ""))


def signed(
    message: bytes,
    namespace: str,
    private: Ed25519PrivateKey,
    *,
    hashed_with: str = "sha512",
    algorithm: str = "ssh-ed25519",
    reserved: bytes = b"",
    version: int = 1,
    malleate: bool = False,
    cut: int = 64,
    behind: bytes = b"",
) -> bytes:
    """A signature by an Ed25519 key, in which any field may be wrong."""
    hashes = {"sha512": hashlib.sha512, "sha256": hashlib.sha256, "md5": hashlib.md5}
    digest = hashes[hashed_with](message).digest()
    fields = pack(namespace.encode(), reserved, hashed_with.encode(), digest)
    raw = private.sign(b"SSHSIG" + fields)
    if malleate:  # S + L: as good in the equation, refused by RFC 8032
        scalar = int.from_bytes(raw[32:], "little") + ORDER
        raw = raw[:32] + scalar.to_bytes(32, "little")
    raw = (raw + b"\0" * 8)[:cut]
    key = pack(b"ssh-ed25519", private.public_key().public_bytes_raw())
    blob = b"SSHSIG" + version.to_bytes(4, "big") + pack(key, namespace.encode(), reserved)
    return armour(blob + pack(hashed_with.encode(), pack(algorithm.encode(), raw)) + behind)


def sk_public(private: Ed25519PrivateKey, application: str = "ssh:") -> str:
    """The public key's text as a hardware token's."""
    blob = pack(SK.encode(), private.public_key().public_bytes_raw(), application.encode())
    return f"{SK} {base64.b64encode(blob).decode()}"


def sk_signed(
    message: bytes,
    namespace: str,
    private: Ed25519PrivateKey,
    *,
    flags: int = 1,
    application: str = "ssh:",
) -> bytes:
    """A signature as a hardware token makes it (PROTOCOL.u2f); `flags` 1: it was touched."""
    digest = hashlib.sha512(message).digest()
    data = b"SSHSIG" + pack(namespace.encode(), b"", b"sha512", digest)
    counter = (7).to_bytes(4, "big")
    hashed = hashlib.sha256(application.encode()).digest(), hashlib.sha256(data).digest()
    raw = private.sign(hashed[0] + bytes([flags]) + counter + hashed[1])
    key = pack(SK.encode(), private.public_key().public_bytes_raw(), application.encode())
    inner = pack(SK.encode(), raw) + bytes([flags]) + counter
    blob = b"SSHSIG" + (1).to_bytes(4, "big") + pack(key, namespace.encode(), b"", b"sha512", inner)
    return armour(blob)
