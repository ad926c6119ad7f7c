"""Unpacking tar archives that strangers made, into a folder of their own.

Plain, gzip, bzip2 and xz. Only files and folders come out; links, devices, absolute paths,
`..`, too many entries and more bytes than allowed are refused, while reading, before they
cost anything. Owners, times and special bits of the archive are not taken over. Does not
unpack container images (``rootfs`` does, with their rules).

Example:
    >>> Budget(size=1024, entries=10).entries
    10
"""

from __future__ import annotations

import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from medperf_git.atomic import explain
from medperf_git.errors import ArtefactError

_CHUNK = 1024 * 1024
_MAX_DEPTH = 64
_MAX_PATH = 1000


@dataclass(slots=True)
class Budget:
    """What an archive may still cost; spent while it is read.

    Attributes:
        size: bytes that its files may take in all.
        entries: files and folders that it may have.
    """

    size: int
    entries: int

    def enter(self, place: str) -> None:
        """Pay for one entry.

        Raises:
            ArtefactError: `archive-too-large`.
        """
        self.entries -= 1
        if self.entries < 0:
            raise _too_large("more entries than expected", place)

    def spend(self, size: int, place: str) -> None:
        """Pay for bytes before they are written.

        Raises:
            ArtefactError: `archive-too-large`.
        """
        self.size -= size
        if self.size < 0:
            raise _too_large("more bytes than expected", place)


def _too_large(message: str, place: str) -> ArtefactError:
    return ArtefactError(f"the archive holds {message}", code="archive-too-large", place=place)


def extract_tar(archive: Path, target: Path, budget: Budget) -> None:
    """Unpack an archive into an existing, empty folder.

    Args:
        archive: a tar archive, plain or compressed.
        target: where it goes; private to the caller while this runs.
        budget: what it may cost; it is spent.

    Raises:
        ArtefactError: `bad-archive`, `unsafe-archive` or `archive-too-large`; what was
            unpacked until then is still there.
    """
    with reading(archive), tarfile.open(archive, "r|*", bufsize=_CHUNK) as stream:
        for member in stream:
            _extract(stream, member, target, budget)


@contextmanager
def reading(archive: Path) -> Iterator[None]:
    """Turn what tarfile and the decompressors raise into one error that names the archive."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise ArtefactError(
            f"not a readable tar archive: {error}", code="bad-archive", place=str(archive)
        ) from error
    except OSError as error:
        if error.errno is None:  # bz2 and gzip raise it bare for broken data
            raise ArtefactError(
                f"not a readable tar archive: {error}", code="bad-archive", place=str(archive)
            ) from error
        raise explain(error, archive) from error


def _extract(
    stream: tarfile.TarFile, member: tarfile.TarInfo, target: Path, budget: Budget
) -> None:
    budget.enter(member.name[:200])
    path = target / inner_path(member.name)
    if member.isdir():
        _make_folders(path, target)
    elif member.isfile() and not member.issparse():
        _make_folders(path.parent, target)
        source = stream.extractfile(member)
        if source is None:
            raise _unsafe("an entry without contents", member.name)
        budget.spend(member.size, member.name[:200])
        write_member(source, path, member)
    else:
        raise _unsafe("a link, device or sparse file", member.name)


def inner_path(name: str) -> PurePosixPath:
    """The entry's path, if it stays inside.

    Raises:
        ArtefactError: `unsafe-archive`: absolute, `..`, control characters, too long or deep.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise _unsafe("a path that leaves it", name)
    too_long = len(os.fsencode(name)) > _MAX_PATH or len(path.parts) > _MAX_DEPTH
    if too_long or any(ord(character) < ord(" ") for character in name):
        raise _unsafe("a path that no honest archive has", name)
    return path


def _make_folders(path: Path, target: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (FileExistsError, NotADirectoryError) as error:
        raise _unsafe("a file where a folder belongs", str(path.relative_to(target))) from error


def write_member(source: IO[bytes], path: Path, member: tarfile.TarInfo) -> None:
    """Write one entry's bytes to a new file that keeps the execute bit and no other mode.

    Raises:
        ArtefactError: `unsafe-archive`: the path stands twice in the archive.
    """
    mode = 0o700 if member.mode & 0o100 else 0o600
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, mode)
    except FileExistsError as error:
        raise _unsafe("one path twice", member.name) from error
    with os.fdopen(handle, "wb") as file:
        while chunk := source.read(_CHUNK):
            file.write(chunk)


def _unsafe(message: str, name: str) -> ArtefactError:
    return ArtefactError(
        f"the archive holds {message}: {name[:200]!r}", code="unsafe-archive", place=name[:200]
    )
