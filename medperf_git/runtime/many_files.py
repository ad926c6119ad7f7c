"""Many files at once, on all cores: their digests, and whether they are still the same files.

With threads, Python's interpreter lock costs a fifth of the speed for small files, with two cores
already (``python -m perf fingerprints``); so many files are read by forked helpers where that is
safe. The next file is dealt to whoever is free. Helpers raise nothing: what they could not do is
missing, and the caller meets the error.

Example:
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with opened_folder(folder) as top:
    ...     os.close(os.open(b"a", os.O_CREAT, dir_fd=top))
    ...     [row and len(row) for row in digest_many(top, [b"a", b"missing"])]
    [112, None]
"""

from __future__ import annotations

import errno
import hashlib
import os
import selectors
import stat
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final

from medperf_git.runtime.file_rows import (
    IDENTITY_BYTES,
    ROW_BYTES,
    Row,
    identities_of,
    identity_of,
    row_of,
    sizes_and_digests,
)
from medperf_git.runtime.helpers import cores, forks_safely, helped

PLAIN: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""For opening what should be a plain file: opening a pipe that took its place must not hang."""
_CHUNK: Final = 1 << 16
_WORTH_FORKING: Final = 256
_WORTH_SHARING: Final = 4000
_MOST_SHARES: Final = 4
_DEALS: Final = 1000
_MOST_DEALT: Final = 32
_FLUSH_BYTES: Final = 1 << 15
_FLUSH_SECONDS: Final = 0.1
_RECORD: Final = struct.Struct(f"=Q{ROW_BYTES}s")


@contextmanager
def opened_folder(folder: str | Path) -> Iterator[int]:
    """A handle for paths below a folder."""
    top = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield top
    finally:
        os.close(top)


def digest_many(
    top: int, paths: Sequence[bytes], progress: Callable[[int], None] | None = None
) -> list[Row | None]:
    """Reads files on all cores.

    Args:
        top: handle of the folder that the paths start from.
        paths: plain files.
        progress: called here, with the number of bytes of each file that is done.

    Returns:
        An entry a path, None where it could not be read. After one that could not, others may be
        None too: but of the Nones, the first was tried.
    """
    found: list[Row | None] = [None] * len(paths)
    if not paths:
        return found
    # The position in this empty file is the next path's number. All helpers share it, and the
    # system moves it for one at a time.
    deal = os.memfd_create("deal")
    try:
        work = partial(_digest_dealt, top, paths, deal)
        fork = len(paths) >= _WORTH_FORKING and forks_safely()
        with helped([work] * min(cores(), len(paths)), fork=fork) as helpers:
            _collect([helper.results for helper in helpers], found, progress)
    finally:
        os.close(deal)
    return found


def _digest_dealt(
    top: int, paths: Sequence[bytes], deal: int, out: int, go_on: Callable[[], bool]
) -> None:
    some = min(1 + len(paths) // _DEALS, _MOST_DEALT)
    space = memoryview(bytearray(_CHUNK))
    done = bytearray()
    due = time.monotonic() + _FLUSH_SECONDS
    try:
        while (first := os.lseek(deal, some, os.SEEK_CUR) - some) < len(paths):
            for at in range(first, min(first + some, len(paths))):
                row = _digest(top, paths[at], space, go_on)
                if row is None:
                    return
                done += _RECORD.pack(at, row)
                if len(done) >= _FLUSH_BYTES or time.monotonic() >= due:
                    _flush(out, done)
                    due = time.monotonic() + _FLUSH_SECONDS
    except OSError:
        # Nobody begins anything more: what comes before this file is all dealt.
        os.lseek(deal, len(paths), os.SEEK_SET)
    with suppress(OSError):  # nobody listens any more
        _flush(out, done)


def _digest(top: int, path: bytes, space: memoryview, go_on: Callable[[], bool]) -> Row | None:
    handle = os.open(path, PLAIN | os.O_NOFOLLOW, dir_fd=top)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        size = count = os.readv(handle, [space])
        sha256 = hashlib.sha256(space[:count])
        while count and size != status.st_size:
            if not go_on():
                return None
            count = os.readv(handle, [space])
            size += count
            sha256.update(space[:count])
        return row_of(path, identity_of(status, size), size, sha256.digest())
    finally:
        os.close(handle)


def _flush(out: int, done: bytearray) -> None:
    while done:
        del done[: os.write(out, done)]


def _collect(
    results: Sequence[int], found: list[Row | None], progress: Callable[[int], None] | None
) -> None:
    """Reads what helpers write, until all have ended."""
    with selectors.DefaultSelector() as waiting:
        for handle in results:
            waiting.register(handle, selectors.EVENT_READ, bytearray())
        while waiting.get_map():
            for key, _ in waiting.select():
                piece = os.read(key.fd, _FLUSH_BYTES)
                if not piece:
                    waiting.unregister(key.fd)
                    continue
                rest: bytearray = key.data
                rest += piece
                whole = len(rest) - len(rest) % _RECORD.size
                new = list(_RECORD.iter_unpack(rest[:whole]))
                for at, row in new:
                    found[at] = row
                del rest[:whole]
                if progress is not None:
                    for size, _ in sizes_and_digests(row for _, row in new):
                        progress(size)


def same_files(top: int, paths: Sequence[bytes], identities: bytes) -> bool:
    """Whether all files and folders are still those that they were; reads none of them.

    Args:
        top: handle of the folder that the paths start from.
        paths: files and folders.
        identities: what `identities_of` said of them.
    """

    def same(first: int, last: int) -> bool:
        wanted = identities[first * IDENTITY_BYTES : last * IDENTITY_BYTES]
        try:
            return identities_of(top, paths[first:last]) == wanted
        except OSError:
            return False

    def say(first: int, last: int, out: int, _go_on: Callable[[], bool]) -> None:
        os.write(out, b"=" * same(first, last))

    shares = min(cores(), len(paths) // _WORTH_SHARING, _MOST_SHARES)
    if shares <= 1 or not forks_safely():
        return same(0, len(paths))
    # The first share is ours, and the largest: a helper has to begin and to end.
    share = int(len(paths) / (shares + 0.2))
    edges = [len(paths) - share * left for left in reversed(range(shares))]
    work = [partial(say, *edge) for edge in pairwise(edges)]
    with helped(work, fork=True) as helpers:
        # A helper that did not begin, or died, has not said that nothing changed.
        return same(0, edges[0]) and [os.read(helper.results, 1) for helper in helpers] == (
            [b"="] * len(work)
        )
