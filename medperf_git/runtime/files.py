"""Digests of files and of folders on disk, the one way that this project computes them.

A folder's digest is ``fingerprint(digest_tree(folder))``. Nothing is skipped unless asked
for: a hidden file in a dataset is part of it. Links, devices, pipes and sockets are refused,
because what they stand for is not in the folder. Does not change what it reads.

Example:
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.csv").write_bytes(b"abc")
    >>> [(file.path, file.size) for file in digest_tree(folder)]
    [('a.csv', 3)]
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from io import BufferedReader
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

from medperf_git.canonical.digest import FileDigest
from medperf_git.errors import ArtefactError
from medperf_git.runtime.file_rows import Row, identity_of, row_of, sizes_and_digests
from medperf_git.runtime.many_files import PLAIN, digest_many, opened_folder

IGNORED_IN_SOURCES: Final = frozenset({"__pycache__"})
"""Names that a tree of sources may have on disk without being part of it: Python's caches."""
_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}


def digest_file(path: Path) -> str:
    """SHA-256 of a regular file's bytes, in hex.

    Raises:
        ArtefactError: no regular file, or it can't be read.
    """
    return _digest(path)[2].hex()


def digest_tree(
    folder: Path,
    progress: Callable[[int], None] | None = None,
    *,
    ignore: Collection[str] = (),
) -> list[FileDigest]:
    """Path, size and digest of every file below a folder, in path order.

    Args:
        folder: what to read.
        progress: called with the number of bytes of each file as it is done.
        ignore: names of files and folders to leave out, wherever they stand.

    Returns:
        One entry a file, with relative POSIX paths; folders without files leave no trace.

    Raises:
        ArtefactError: not a folder, not readable, or something in it is no plain file: of many
            such errors, the first by path, and those of names before those of contents.
    """
    paths = list_tree(folder, ignore).files
    rows = read_files(folder, paths, progress)
    return [
        FileDigest(os.fsdecode(path), size, sha256.hex())
        for path, (size, sha256) in zip(paths, sizes_and_digests(rows), strict=True)
    ]


def read_files(
    folder: Path, paths: Sequence[bytes], progress: Callable[[int], None] | None = None
) -> list[Row]:
    """The rows of files, which are read on all cores.

    Args:
        folder: where the paths start.
        paths: plain files.
        progress: called with the number of bytes of each file as it is done.

    Raises:
        ArtefactError: one can't be read, or is no plain file; the first of them.
    """
    try:
        with opened_folder(folder) as top:
            found = digest_many(top, paths, progress)
    except OSError as error:
        raise _unreadable(error, folder) from error
    rows = []
    for path, done in zip(paths, found, strict=True):
        row = done
        if row is None:
            # Nobody could read it: here the reason comes out, as an error.
            identity, size, sha256 = _digest(folder / os.fsdecode(path))
            row = row_of(path, identity, size, sha256)
            if progress is not None:
                progress(size)
        rows.append(row)
    return rows


class Listed(NamedTuple):
    """What stands below a folder: relative paths, in the order of their bytes."""

    folders: list[bytes]
    """Folders, with this one, which is `.`."""
    files: list[bytes]
    """Plain files."""


def list_tree(folder: Path, ignore: Collection[str] = ()) -> Listed:
    """Every folder and regular file below a folder; links are never followed.

    Args:
        folder: where to begin.
        ignore: names to leave out, wherever they stand.

    Raises:
        ArtefactError: not a folder, a folder can't be read, or something else than a file or a
            folder stands there (`not-plain`); the first by path.
    """
    if not folder.is_dir():
        raise ArtefactError("not a folder", code="artefact-missing", place=str(folder))
    ignored = {os.fsencode(name) for name in ignore}
    found = Listed([b"."], [])
    problems: list[tuple[bytes, ArtefactError]] = []
    waiting = [b""]
    while waiting:
        below = waiting.pop()
        here = folder / os.fsdecode(below)
        try:
            with os.scandir(os.fsencode(here)) as entries:
                for entry in entries:
                    path = below + entry.name
                    if entry.name in ignored:
                        continue
                    if entry.is_file(follow_symlinks=False):
                        found.files.append(path)
                    elif entry.is_dir(follow_symlinks=False):
                        found.folders.append(path)
                        waiting.append(path + b"/")
                    else:
                        mode = entry.stat(follow_symlinks=False).st_mode
                        problems.append((path, _not_plain(mode, os.fsdecode(entry.path))))
        except OSError as error:
            problems.append((below, _unreadable(error, here)))
    if problems:
        raise min(problems, key=itemgetter(0))[1]
    found.folders.sort()
    found.files.sort()
    return found


def plain_files(folder: Path, ignore: Collection[str] = ()) -> Iterator[Path]:
    """Every regular file below a folder; links are never followed.

    Raises:
        ArtefactError: as `list_tree`.
    """
    yield from (folder / os.fsdecode(path) for path in list_tree(folder, ignore).files)


def open_plain(path: Path, *, follow: bool = False) -> BufferedReader:
    """Open a regular file for reading, and nothing else: no link, no device, no pipe.

    Args:
        path: the file.
        follow: whether a link to a regular file will do: for paths that the caller chose.

    Raises:
        ArtefactError: `not-plain`, `artefact-missing` or `not-readable`.
    """
    try:
        handle = os.open(path, PLAIN | (0 if follow else os.O_NOFOLLOW))
    except OSError as error:
        with suppress(OSError):
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise _not_plain(mode, str(path)) from error
        raise _unreadable(error, path) from error
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise _not_plain(mode, str(path))
    return os.fdopen(handle, "rb")


def _digest(path: Path) -> tuple[bytes, int, bytes]:
    with open_plain(path) as file:
        status = os.fstat(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").digest()
        # The size of what was digested: the file may have grown since.
        return identity_of(status, file.tell()), file.tell(), sha256


def _not_plain(mode: int, place: str) -> ArtefactError:
    kind = _KINDS.get(stat.S_IFMT(mode), "no plain file")
    return ArtefactError(
        f"{kind} where a plain file belongs",
        code="not-plain",
        place=str(place),
        advice="replace it by a copy of the file",
    )


def _unreadable(error: OSError, path: Path) -> ArtefactError:
    missing = isinstance(error, FileNotFoundError)
    return ArtefactError(
        f"can't read it: {error.strerror}",
        code="artefact-missing" if missing else "not-readable",
        place=str(path),
    )
