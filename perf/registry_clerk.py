"""Who writes and signs the records of a made-up registry: keys from a seed, real signatures.

`Keys` derives everybody's Ed25519 key from the seed and the name, so that every run signs the
same bytes, and nothing made here is worth trusting: whoever knows the seed has all keys.
`Clerk` turns plain data into a record's files. Judges nothing, and knows no Git.

Example:
    >>> keys = Keys("seed")
    >>> sshsig.Signature.parse(keys.sign(b"x", "n", "ky")).verify(b"x", "n")
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from medperf_git.canonical.digest import sha256_hex
from medperf_git.records.codec import build, encode
from medperf_git.records.namespace import namespace as namespace_of
from medperf_git.store.paths import Place
from medperf_git.trust import sshsig
from medperf_git.trust.keys import ED25519, PublicKey, pack

KEY: Final = "first"
"""The name of everybody's one key."""


def digest(text: str) -> str:
    """A made-up but stable SHA-256 for something that the registry only pins."""
    return sha256_hex(text.encode())


class Keys:
    """Everybody's key, derived when first asked for."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._private = lru_cache(maxsize=10_000)(self._derive)
        self._head = lru_cache(maxsize=10_000)(self._begin)

    def public(self, name: str) -> str:
        """The public key's OpenSSH text."""
        return PublicKey(ED25519, self._private(name).public_key().public_bytes_raw()).text

    def private_pem(self, name: str) -> bytes:
        """The private key in OpenSSH's form, without a passphrase."""
        return self._private(name).private_bytes(
            Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
        )

    def sign(self, payload: bytes, namespace: str, name: str) -> bytes:
        """The armoured signature: what `sshsig.sign` makes, with the key unpacked only once."""
        raw = self._private(name).sign(sshsig.signed_data(payload, namespace))
        return sshsig.armour(self._head(name, namespace) + pack(pack(ED25519.encode(), raw)))

    def _derive(self, name: str) -> Ed25519PrivateKey:
        secret = hashlib.sha256(f"{self._seed}/{name}".encode()).digest()
        return Ed25519PrivateKey.from_private_bytes(secret)

    def _begin(self, name: str, namespace: str) -> bytes:
        """A signature's blob up to the signature proper (PROTOCOL.sshsig §2)."""
        key = PublicKey(ED25519, self._private(name).public_key().public_bytes_raw())
        version = (1).to_bytes(4, "big")
        return sshsig.MAGIC + version + pack(key.blob, namespace.encode(), b"", sshsig.HASH)


@dataclass(frozen=True, slots=True)
class Written:
    """A record's files, and what others need to refer to it.

    Attributes:
        id: the record's id.
        sha256: the digest of its file.
        files: the record first, then its signatures: path and bytes.
    """

    id: str
    sha256: str
    files: tuple[tuple[str, bytes], ...]

    @property
    def pin(self) -> dict[str, Any]:
        """A pin of this record, which is always its first revision."""
        return {"id": self.id, "revision": 1, "sha256": self.sha256}


class Clerk:
    """Writes first revisions for one registry.

    Args:
        seed: what keys are derived from.
        identity: the registry's; empty for root 1, which can't know it.
    """

    def __init__(self, seed: str, identity: str = "") -> None:
        self.keys = Keys(seed)
        self.identity = identity

    def write(
        self, kind: str, record_id: str, data: Mapping[str, Any], signers: Sequence[str]
    ) -> Written:
        """A record through the typed models and the codec, signed by these people."""
        head = {"kind": kind, "id": record_id, "revision": 1}
        place = Place(kind, record_id, 1)
        payload = encode(build(kind, {**head, **data}), depth=place.depth)
        return self.sign(place, payload, signers)

    def sign(self, place: Place, payload: bytes, signers: Sequence[str]) -> Written:
        """The files of a record that is written already."""
        namespace = self.namespace(place.kind)
        signatures = (
            (place.signature(name), self.keys.sign(payload, namespace, name)) for name in signers
        )
        return Written(place.id, sha256_hex(payload), ((place.path, payload), *signatures))

    @lru_cache(maxsize=100)  # noqa: B019 (a clerk lives as long as its process needs it)
    def namespace(self, kind: str) -> str:
        """The namespace of first revisions of a kind."""
        return namespace_of(kind, self.identity, revision=1)

    def participant(self, name: str, approver: str) -> Written:
        """A registration, by itself and an administrator."""
        key = {"name": KEY, "public_key": self.keys.public(name), "status": "active"}
        signers = list(dict.fromkeys([name, approver]))
        return self.write("participant", name, {"name": name, "keys": [key]}, signers)
