"""What files take on the disk, and removing them: links are never followed.

Example:
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "link").symlink_to("/usr")
    >>> usage(folder) < 100_000
    True
    >>> erase(folder)
    >>> folder.exists()
    False
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from medperf_git.runtime.outputs import empty, walk

_BLOCK: Final = 512


def usage(path: Path, *, without: frozenset[str] = frozenset()) -> int:
    """Bytes on the disk; a file with many names counts once, a link as nothing.

    Args:
        path: a file or a folder.
        without: names right in the folder that do not count.
    """
    try:
        status = path.lstat()
    except OSError:
        return 0
    if not stat.S_ISDIR(status.st_mode):
        return 0 if stat.S_ISLNK(status.st_mode) else status.st_blocks * _BLOCK
    total, seen = 0, set[tuple[int, int]]()
    for entry in walk(path):
        if entry.path.partition("/")[0] in without or stat.S_ISLNK(entry.status.st_mode):
            continue
        inode = (entry.status.st_dev, entry.status.st_ino)
        if inode not in seen:
            seen.add(inode)
            total += entry.status.st_blocks * _BLOCK
    return total


def erase(path: Path) -> None:
    """Remove a file, a link itself, or a folder with all that is in it, however deep.

    Raises:
        OSError: something of it is still there.
    """
    if path.is_dir() and not path.is_symlink():
        with suppress(OSError):
            path.chmod(0o700)
        empty(path)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def is_inside(path: Path, top: Path) -> bool:
    """Whether no link on the way from `top` to a path leads out of it.

    `top` itself may be a link: somebody put it on another disk.
    """
    real = Path(os.path.realpath(top))
    return Path(os.path.realpath(path.parent)).is_relative_to(real)
