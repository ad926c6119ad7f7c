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
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Final

from medperf_git.canonical.digest import FileDigest
from medperf_git.errors import ArtefactError

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
    return _digest(path)[1]


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
        ArtefactError: not a folder, not readable, or something in it is no plain file.
    """
    if not folder.is_dir():
        raise ArtefactError("not a folder", code="artefact-missing", place=str(folder))
    digests = []
    for path in plain_files(folder, ignore):
        relative = path.relative_to(folder).as_posix()
        size, sha256 = _digest(path)
        digests.append(FileDigest(relative, size, sha256))
        if progress is not None:
            progress(size)
    return sorted(digests, key=lambda file: os.fsencode(file.path))


def plain_files(folder: Path, ignore: Collection[str] = ()) -> Iterator[Path]:
    """Every regular file below a folder; links are never followed.

    Raises:
        ArtefactError: `not-plain`: something else than a file or a folder stands there.
    """
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            entries = list(os.scandir(here))
        except OSError as error:
            raise _unreadable(error, here) from error
        for entry in entries:
            if entry.name in ignore:
                continue
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                waiting.append(Path(entry.path))
            elif stat.S_ISREG(mode):
                yield Path(entry.path)
            else:
                raise _not_plain(mode, entry.path)


def open_plain(path: Path, *, follow: bool = False) -> BufferedReader:
    """Open a regular file for reading, and nothing else: no link, no device, no pipe.

    Args:
        path: the file.
        follow: whether a link to a regular file will do: for paths that the caller chose.

    Raises:
        ArtefactError: `not-plain`, `artefact-missing` or `not-readable`.
    """
    # NONBLOCK: opening a pipe that took the file's place must not hang.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    try:
        handle = os.open(path, flags)
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


def _digest(path: Path) -> tuple[int, str]:
    with open_plain(path) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        # The size of what was digested: the file may have grown since.
        return file.tell(), sha256


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
