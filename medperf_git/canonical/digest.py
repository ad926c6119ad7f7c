"""The project's digests: SHA-256 of bytes, and the fingerprint of a set of files.

A fingerprint is a Merkle digest over each file's relative path, size and content digest, so
that renaming, moving or swapping is seen. Pure: callers bring the files' digests. Does not
read disks (``store`` and ``runtime`` do).

Example:
    >>> sha256_hex(b"")[:16]
    'e3b0c44298fc1c14'
    >>> one = FileDigest("a/b.csv", 3, sha256_hex(b"abc"))
    >>> fingerprint([one]) != fingerprint([FileDigest("a/c.csv", 3, one.sha256)])
    True
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from medperf_git.errors import CanonicalError

_NUMBER = struct.Struct(">Q").pack


@dataclass(frozen=True, slots=True, order=True)
class FileDigest:
    """One file: relative POSIX path, size in bytes, SHA-256 in lowercase hex."""

    path: str
    size: int
    sha256: str


def sha256_hex(payload: bytes) -> str:
    """SHA-256 of `payload`, 64 lowercase hex digits (FIPS 180-4)."""
    return hashlib.sha256(payload).hexdigest()


def fingerprint(files: Iterable[FileDigest]) -> str:
    """The Merkle digest of a set of files, 64 lowercase hex digits.

    Each leaf is ``sha256(0x00 ‖ len(path) ‖ path ‖ size ‖ digest)`` with 8-byte big-endian
    numbers; the root is ``sha256(0x01 ‖ count ‖ leaves in path order)``. The prefixes keep
    leaves and root apart (RFC 6962 §2.1 says why).

    Raises:
        CanonicalError: two files have one path, or a path is no file name.
    """
    raw = [(_path_bytes(file.path), file.size, bytes.fromhex(file.sha256)) for file in files]
    raw.sort()
    for (path, _, _), (other, _, _) in pairwise(raw):
        if path == other:
            raise CanonicalError(f"two files with the path {os.fsdecode(path)!r}")
    return root_of(b"".join(leaf_of(*file) for file in raw))


def leaf_of(path: bytes, size: int, sha256: bytes) -> bytes:
    """A file's part in a fingerprint, of its path, size and digest."""
    leaf = b"".join((b"\x00", _NUMBER(len(path)), path, _NUMBER(size), sha256))
    return hashlib.sha256(leaf).digest()


def root_of(leaves: bytes) -> str:
    """The fingerprint of files whose paths are different: of their leaves, joined in path order."""
    return hashlib.sha256(b"\x01" + _NUMBER(len(leaves) // 32) + leaves).hexdigest()


def _path_bytes(path: str) -> bytes:
    """The bytes that the file system has: names that are no UTF-8 come in as `os.fsdecode`'s."""
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise CanonicalError(f"no file has the path {path!r}") from error
