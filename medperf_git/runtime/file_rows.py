"""What was found of a file, packed into a row: its identity, what was read, its digests.

Rows are what helpers send, and what an index keeps: of tens of thousands of files, the columns are
taken out and compared at once. An identity is what the system says of a file and what changes with
it: size, both times of change (in nanoseconds), inode and device.

Example:
    >>> rows = [row_of(name, bytes(IDENTITY_BYTES), 3, bytes(32)) for name in (b"a", b"b")]
    >>> [size for size, _ in sizes_and_digests(rows)], Columns(rows).size
    ([3, 3], 6)
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import starmap
from operator import attrgetter
from typing import Final

from medperf_git.canonical.digest import leaf_of

Row = bytes
"""A file: its identity before it was read, bytes read, their SHA-256, the fingerprint's leaf."""

_FIELDS: Final = attrgetter("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_dev")
_IDENTITY: Final = struct.Struct("=QqqQQ")
_ROW: Final = struct.Struct("=40sQ32s32s")
_NOBODYS: Final = _IDENTITY.pack(0, (1 << 63) - 1, (1 << 63) - 1, 0, 0)
_WORD: Final = 8
IDENTITY_BYTES: Final = _IDENTITY.size
ROW_BYTES: Final = _ROW.size
DIGEST_BYTES: Final = 32


def identity_of(status: os.stat_result, read: int) -> bytes:
    """The identity of a file.

    Args:
        status: what the system says of it.
        read: how many bytes were read. If that is not the size, the file changed meanwhile: then
            the identity is one that no file has, and of the far future.
    """
    return _IDENTITY.pack(*_FIELDS(status)) if read == status.st_size else _NOBODYS


def identities_of(top: int, paths: Iterable[bytes]) -> bytes:
    """The identities of files and folders, one after another; a link has its own.

    Args:
        top: handle of the folder that the paths start from.
        paths: files and folders.

    Raises:
        OSError: one is missing.
    """
    look = partial(os.stat, dir_fd=top, follow_symlinks=False)
    # Not a line of Python for each file: this is most of what confirming a dataset takes.
    return b"".join(starmap(_IDENTITY.pack, map(_FIELDS, map(look, paths))))


def changes(identities: bytes | bytearray) -> list[int]:
    """For each identity, when it was last changed, in nanoseconds since 1970."""
    words = array("q", bytes(identities))
    every = IDENTITY_BYTES // _WORD
    return list(map(max, words[1::every], words[2::every]))


def row_of(path: bytes, identity: bytes, read: int, sha256: bytes) -> Row:
    """A file's row.

    Args:
        path: as the fingerprint has it.
        identity: before it was read.
        read: how many bytes were read.
        sha256: their digest.
    """
    return _ROW.pack(identity, read, sha256, leaf_of(path, read, sha256))


def known_row(path: bytes, identity: bytes, sha256: bytes) -> Row:
    """The row of a file that was read before, and still is what its identity says."""
    return row_of(path, identity, _IDENTITY.unpack(identity)[0], sha256)


def sizes_and_digests(rows: Iterable[Row]) -> Iterator[tuple[int, bytes]]:
    """Of each row, how many bytes were read, and their digest."""
    return ((size, sha256) for _, size, sha256, _ in map(_ROW.unpack, rows))


class Columns:
    """The columns of many rows, each in one piece."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._words = array("Q", b"".join(rows))

    @property
    def identities(self) -> bytes:
        """Identities."""
        return self._words_of(0, IDENTITY_BYTES)

    @property
    def size(self) -> int:
        """How many bytes were read of all files."""
        return sum(self._words[IDENTITY_BYTES // _WORD :: ROW_BYTES // _WORD])

    @property
    def digests(self) -> bytes:
        """Digests."""
        return self._words_of(IDENTITY_BYTES + _WORD, DIGEST_BYTES)

    @property
    def leaves(self) -> bytes:
        """Leaves of the fingerprint."""
        return self._words_of(ROW_BYTES - DIGEST_BYTES, DIGEST_BYTES)

    def _words_of(self, first: int, width: int) -> bytes:
        """The bytes from `first` on of every row, joined: word by word, not row by row."""
        step, every = width // _WORD, ROW_BYTES // _WORD
        found = array("Q", bytes(len(self._words) // every * width))
        for at in range(step):
            found[at::step] = self._words[first // _WORD + at :: every]
        return found.tobytes()
