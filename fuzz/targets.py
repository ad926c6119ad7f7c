r"""What must hold for any bytes: refused by our own error, or read as exactly one thing.

Each target takes bytes and raises `AssertionError` where something does not hold; any other
exception is a fault as well. Knows no fuzzer.

Example:
    >>> codec(b"\xff")
    >>> sshsig(b"SSHSIG")
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import yaml

from medperf_git.canonical.document import emit, parse
from medperf_git.errors import CanonicalError, RecordError, TrustError
from medperf_git.records.codec import decode, encode
from medperf_git.records.kinds import KINDS
from medperf_git.trust.keys import ED25519, PublicKey, pack
from medperf_git.trust.sshsig import HASH, MAGIC, Signature, armour

SECONDS: Final = 1.0
"""Of processor time for one input; coverage makes the code many times slower."""


def codec(data: bytes) -> None:
    """The canonical codec, and records on top of it."""
    began = time.process_time()
    try:
        document = parse(data)
    except CanonicalError:
        return
    finally:
        assert time.process_time() - began < SECONDS
    assert emit(document) == data
    assert _same(yaml.safe_load(data), document.data)
    kind = str(document.data.get("kind", ""))
    depth = document.schema.count("../")
    if kind in KINDS and depth < 16:  # noqa: PLR2004 (deeper than any record)
        try:
            record = decode(data, kind, depth=depth)
        except (CanonicalError, RecordError):
            return
        assert encode(record, depth=depth) == data


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return type(left) is type(right) and bool(left == right)


def sshsig(data: bytes) -> None:
    """The reader of signatures, given an armoured one or what stands inside one."""
    began = time.process_time()
    for armoured in (data, armour(data)):
        try:
            signature = Signature.parse(armoured)
        except TrustError:
            continue
        if "\N{REPLACEMENT CHARACTER}" not in signature.namespace:
            assert _spelled(signature) == armoured
        try:
            signature.verify(b"record", "mpgit-result-v1@00")
        except TrustError:
            continue
        raise AssertionError("a signature that nobody made")
    _key(data)
    assert time.process_time() - began < SECONDS


def _key(data: bytes) -> None:
    try:
        key = PublicKey.from_blob(data)
    except TrustError:
        return
    assert key.blob == data
    assert PublicKey.parse(key.text) == key


def _spelled(signature: Signature) -> bytes:
    """The one file that this signature can have been read from."""
    inner = pack(signature.key.algorithm.encode(), signature.raw)
    if signature.key.algorithm != ED25519:
        inner += bytes([signature.flags]) + signature.counter.to_bytes(4, "big")
    fields = pack(signature.key.blob, signature.namespace.encode(), b"", HASH, inner)
    return armour(MAGIC + (1).to_bytes(4, "big") + fields)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {"codec": codec, "sshsig": sshsig}
