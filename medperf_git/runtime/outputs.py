"""What a task left behind: hostile until looked at, plain and the caller's own afterwards.

Folders are walked by descriptor and links are never followed, so that nothing outside an
output is read, counted or changed. Does not read contents (``measurements`` does).

Example:
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.csv").write_bytes(b"abc")
    >>> measure(folder).files
    1
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medperf_git.errors import ExecutionError

MAX_DEPTH: Final = 64
_BLOCK: Final = 512
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in an output: its path inside, its parent's descriptor and its status."""

    path: str
    folder: int
    name: str
    status: os.stat_result


@dataclass(slots=True)
class Measure:
    """What an output takes: bytes, files and folders, and whether it is too deep to count."""

    size: int = 0
    files: int = 0
    too_deep: bool = False


def walk(folder: Path) -> Iterator[Entry]:
    """Every entry below a folder, parents first; what vanishes meanwhile is left out.

    Folders nested deeper than `MAX_DEPTH` are named but not entered.
    """
    try:
        top = os.open(folder, _FOLDER)
    except OSError:
        return
    waiting: list[tuple[int, str, list[str]]] = [(top, "", _names(top))]
    try:
        while waiting:
            handle, prefix, names = waiting[-1]
            if not names:
                os.close(handle)
                waiting.pop()
                continue
            name = names.pop()
            try:
                status = os.stat(name, dir_fd=handle, follow_symlinks=False)
            except OSError:
                continue
            yield Entry(prefix + name, handle, name, status)
            if stat.S_ISDIR(status.st_mode) and len(waiting) < MAX_DEPTH:
                with suppress(OSError):
                    inner = os.open(name, _FOLDER, dir_fd=handle)
                    waiting.append((inner, f"{prefix}{name}/", _names(inner)))
    finally:
        for handle, _, _ in waiting:
            os.close(handle)


def _names(handle: int) -> list[str]:
    try:
        return sorted(os.listdir(handle), reverse=True)
    except OSError:
        return []


def measure(folder: Path) -> Measure:
    """What an output takes at this moment; a sparse file counts as what it pretends to be."""
    total = Measure()
    for entry in walk(folder):
        total.files += 1
        if stat.S_ISREG(entry.status.st_mode):
            total.size += max(entry.status.st_size, entry.status.st_blocks * _BLOCK)
        total.too_deep = total.too_deep or entry.path.count("/") >= MAX_DEPTH - 1
    return total


def accept(folder: Path) -> None:
    """Refuse whatever is no plain file or folder; make the rest private to the caller.

    Raises:
        ExecutionError: `hostile-output`, naming the path: a link, a device, a hard link, a
            name that can't be shown, or something that is not the caller's.
    """
    for entry in walk(folder):
        problem = _problem(entry)
        if problem is not None:
            raise ExecutionError(
                f"the task left {problem} in its output",
                code="hostile-output",
                place=ascii(entry.path)[1:-1],
                advice="outputs are plain files and folders; tell the owner of the container",
            )
        _make_plain(entry)


def _problem(entry: Entry) -> str | None:
    mode = entry.status.st_mode
    regular = stat.S_ISREG(mode)
    foreign = os.getuid() not in (0, entry.status.st_uid)
    questions = (
        (entry.path.count("/") >= MAX_DEPTH - 1, "folders nested too deeply"),
        (not entry.name.isprintable(), "a name that can't be shown"),
        (stat.S_ISLNK(mode), "a symbolic link"),
        (not regular and not stat.S_ISDIR(mode), "a device, pipe or socket"),
        (regular and entry.status.st_nlink > 1, "a hard link"),
        (regular and bool(mode & (stat.S_ISUID | stat.S_ISGID)), "a set-uid program"),
        (foreign, f"something that belongs to user {entry.status.st_uid}"),
    )
    return next((problem for found, problem in questions if found), None)


def _make_plain(entry: Entry) -> None:
    # Opened first, so that owner and mode change on what was looked at and nothing else.
    is_folder = stat.S_ISDIR(entry.status.st_mode)
    with suppress(PermissionError):
        os.chmod(entry.name, 0o700 if is_folder else 0o600, dir_fd=entry.folder)
    handle = os.open(
        entry.name,
        os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK,
        dir_fd=entry.folder,
    )
    try:
        if (entry.status.st_uid, entry.status.st_gid) != (os.getuid(), os.getgid()):
            os.fchown(handle, os.getuid(), os.getgid())
        os.fchmod(handle, 0o700 if is_folder else 0o600)
    finally:
        os.close(handle)


def empty(folder: Path) -> None:
    """Remove everything in a folder, however deep, locked or large it was made."""
    for entry in walk(folder):
        if stat.S_ISDIR(entry.status.st_mode):
            with suppress(OSError):
                os.chmod(entry.name, 0o700, dir_fd=entry.folder)
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        if path.is_dir() and not path.is_symlink():
            with suppress(RecursionError):
                shutil.rmtree(path, ignore_errors=True)
            if path.exists():
                # rm walks folders of any depth, which shutil can't.
                subprocess.run(["rm", "-rf", "--", str(path)], check=False, capture_output=True)
        else:
            path.unlink(missing_ok=True)
