"""The handle of a hardware token's key: an OpenSSH "private" key file that holds no secret.

OpenSSH writes it beside the public key (``ssh-keygen -t ed25519-sk``), and needs it, or an agent
that has it, to sign. Only its header is read here, which is never encrypted.

Example:
    >>> token_key(b"not a key") is None
    True
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from medperf_git.errors import TrustError
from medperf_git.trust.keys import SK_ED25519, PublicKey, Reader

_BEGIN: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_END: Final = b"-----END OPENSSH PRIVATE KEY-----"
_MAGIC: Final = b"openssh-key-v1\0"


def token_key(payload: bytes) -> PublicKey | None:
    """The public key of a token's handle; None for any other file.

    The format is OpenSSH's PROTOCOL.key: magic, cipher, KDF, its options, how many keys, and the
    public key.
    """
    body = payload.strip().removeprefix(_BEGIN).removesuffix(_END)
    try:
        reader = Reader(base64.b64decode(b"".join(body.split()), validate=True))
        if reader.take(len(_MAGIC)) != _MAGIC:
            return None
        for _ in ("cipher", "kdf", "options"):
            reader.string()
        if int.from_bytes(reader.take(4), "big") != 1:
            return None
        public = PublicKey.from_blob(reader.string())
    except (binascii.Error, TrustError):
        return None
    return public if public.algorithm == SK_ED25519 else None
