"""What files were when they were read, so that nobody reads them again in vain.

The index of the folder ``data`` is the file ``data.seen`` beside it: the size, the times of change,
the inode and the device of each file and folder, and each file's digest. It stays at the site.

What it trusts is that Linux sets a file's ctime whenever its bytes or its name change, which only
root can undo (``utime`` can't). So it counts only on file systems that this machine's kernel keeps,
not on network drives or FUSE, and not for what had changed within two seconds before it was read,
or seems to come from the future: a later change might carry the same time. It does not notice what
goes past the file system: root, the raw disk, a program that has a file mapped into its memory and
was already changing it when it was read. Nor does it notice somebody who forges the index itself:
that takes the rights of the user, who could as well replace mpgit, or use the keys.

Example:
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "data"
    >>> index_of(folder).name, read_index(folder)
    ('data.seen', None)
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from medperf_git.atomic import write_bytes
from medperf_git.errors import ArtefactError
from medperf_git.runtime.file_rows import DIGEST_BYTES, IDENTITY_BYTES, Columns, changes
from medperf_git.runtime.files import open_plain

SUFFIX: Final = ".seen"
"""What an index's name has behind that of its folder."""
RACY_NS: Final = 2_000_000_000
"""How long a file must have been left alone before it was read."""
_VERSION: Final = 1
_UNKNOWN: Final = bytes(IDENTITY_BYTES)
_LOCAL: Final = frozenset(
    {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"}
)


@dataclass(frozen=True)
class TreeDigest:
    """A folder's fingerprint, and how many files and bytes it stands for."""

    sha256: str
    files: int
    size: int


@dataclass(frozen=True)
class Index:
    """An index.

    Attributes:
        tree: the folder's fingerprint.
        folders: how many of the paths are folders; they come first.
        paths: folders and files.
        identities: theirs, one after another; zeros where it can't be trusted.
        digests: the files', likewise.
        settled: whether every identity can be trusted.
    """

    tree: TreeDigest
    folders: int
    paths: Sequence[bytes]
    identities: bytes
    digests: bytes
    settled: bool

    def known(self) -> dict[bytes, tuple[bytes, bytes]]:
        """Identity and digest of the files that can be trusted, by path."""
        identities = _pieces(self.identities, IDENTITY_BYTES)[self.folders :]
        both = zip(identities, _pieces(self.digests, DIGEST_BYTES), strict=True)
        named = zip(self.paths[self.folders :], both, strict=True)
        return {path: pair for path, pair in named if pair[0] != _UNKNOWN}


def index_of(folder: Path) -> Path:
    """A folder's index."""
    return folder.with_name(folder.name + SUFFIX)


def make_index(
    tree: TreeDigest,
    folders: tuple[Sequence[bytes], bytes],
    files: tuple[Sequence[bytes], Columns],
    began: int,
) -> Index:
    """An index of what was just read.

    Args:
        tree: the fingerprint.
        folders: paths and identities of the folders.
        files: paths of the files, and what was read of them.
        began: when reading began, by the clock that gives files their times.
    """
    identities = bytearray(folders[1] + files[1].identities)
    limit = began - RACY_NS
    doubtful = [at for at, changed in enumerate(changes(identities)) if changed >= limit]
    for at in doubtful:
        identities[at * IDENTITY_BYTES : (at + 1) * IDENTITY_BYTES] = _UNKNOWN
    paths = [*folders[0], *files[0]]
    return Index(tree, len(folders[0]), paths, bytes(identities), files[1].digests, not doubtful)


def write_index(folder: Path, index: Index) -> None:
    """Writes the index of a folder, beside it.

    Raises:
        InputError: the disk is full, or the place not writable.
    """
    names = b"\0".join(index.paths)
    head = {
        "version": _VERSION,
        **asdict(index.tree),
        "folders": index.folders,
        "names": len(names),
        "settled": index.settled,
    }
    body = json.dumps(head).encode() + b"\n" + names + index.identities + index.digests
    write_bytes(index_of(folder), body + hashlib.sha256(body).digest())


def read_index(folder: Path) -> Index | None:
    """The index of a folder; None where there is none, it is damaged, or others may write it."""
    try:
        with open_plain(index_of(folder)) as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return None
            content = file.read()
    except (ArtefactError, OSError):
        return None
    body, digest = memoryview(content)[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    line = content[: content.find(b"\n") + 1]
    rest = body[len(line) :]
    try:
        head = json.loads(line)
        if head["version"] != _VERSION:
            return None
        paths = bytes(rest[: head["names"]]).split(b"\0")
        first = head["names"] + IDENTITY_BYTES * len(paths)
        index = Index(
            TreeDigest(head["sha256"], head["files"], head["size"]),
            head["folders"],
            paths,
            bytes(rest[head["names"] : first]),
            bytes(rest[first:]),
            head["settled"],
        )
        fits = len(index.digests) == DIGEST_BYTES * (len(paths) - index.folders)
    except (ValueError, TypeError, KeyError):
        return None
    return index if fits else None


def _pieces(joined: bytes, size: int) -> list[bytes]:
    return [joined[at : at + size] for at in range(0, len(joined), size)]


def now(folder: Path) -> int | None:
    """The time by the clock that gives files theirs, or None where nothing can be written."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            return os.fstat(probe.fileno()).st_mtime_ns
    except OSError:
        return None


def keeps_times(folder: Path) -> bool:
    """Whether all below a folder lies on one file system, of those whose ctimes can be trusted."""
    real = str(folder.resolve()).rstrip("/") + "/"
    longest, kind = "", ""
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines():
            fields = line.split(" ")
            point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4])
            point = point.rstrip("/") + "/"
            if point != real and point.startswith(real):
                return False
            if real.startswith(point) and len(point) >= len(longest):
                longest, kind = point, fields[fields.index("-") + 1]
    return kind in _LOCAL
