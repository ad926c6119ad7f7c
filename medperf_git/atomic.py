"""Files that are either there whole or not at all, and one process at a time.

``write_bytes`` writes beside its target, syncs and renames; ``lock`` holds an advisory lock
for as long as its block runs and lets go when the process dies, however it dies. Knows
nothing of what is written.

Example:
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with lock(folder / "lock"):
    ...     write_bytes(folder / "note", b"kept")
    >>> (folder / "note").read_bytes()
    b'kept'
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from medperf_git.errors import InputError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_POLL_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 0.15
"""How long anybody waits for a lock: somebody may just look whether it is held."""
PART_SUFFIX: Final = ".part"
"""How the name of a file ends that is still being written."""


def write_bytes(path: Path, payload: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all, and durably: a crash leaves the old or the new one.

    Args:
        path: the target; folders above it are made (for the caller alone).
        payload: what it shall hold.
        mode: its permissions.

    Raises:
        InputError: `disk-full` or `not-writable`; nothing was changed, no part is left.
    """
    part: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, part = tempfile.mkstemp(
            prefix=f".{path.name[:100]}.", suffix=PART_SUFFIX, dir=path.parent
        )
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        Path(part).replace(path)
        part = None
        sync_folder(path.parent)
    except OSError as error:
        raise explain(error, path) from error
    finally:
        if part is not None:
            with suppress(FileNotFoundError):
                Path(part).unlink()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: without it a rename may be lost in a crash."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def explain(error: OSError, path: Path) -> InputError:
    """The error that a person can act on, for a write that the system refused."""
    if error.errno in _FULL:
        return InputError(
            f"no space left to write {path.name}",
            code="disk-full",
            place=str(path),
            advice="free space on that file system (or raise the quota) and run it again",
        )
    reason = error.strerror or str(error)
    return InputError(
        f"can't write {path.name}: {reason}",
        code="not-writable",
        place=str(path),
        advice=f"see who owns it: ls -ld {path.parent}",
    )


@contextmanager
def lock(path: Path, *, wait_seconds: float = 0.0, shared: bool = False) -> Iterator[None]:
    """Hold the lock that the file `path` stands for while the block runs.

    The file stays when the lock is released. Who holds it alone may remove it: who waited for
    the removed one tries again on the new one, so that no two processes lock two files of one
    name.

    Args:
        path: the lock's file; made where missing.
        wait_seconds: how long to wait for another holder to finish.
        shared: hold it beside others who share it; alone otherwise.

    Raises:
        InputError: `locked`: another process (or another block of this one) holds it.
    """
    deadline = time.monotonic() + max(wait_seconds, _PATIENCE_SECONDS)
    handle = _acquire(path, deadline, shared=shared)
    try:
        if not shared:
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def is_locked(path: Path) -> bool:
    """Whether anybody holds a lock now; makes no file and keeps nobody from taking it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


def _open_lock(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # NOFOLLOW: a link in a shared folder must not make us write somewhere else.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(path, flags, 0o600)
    except OSError as error:
        raise explain(error, path) from error


def _acquire(path: Path, deadline: float, *, shared: bool) -> int:
    while True:
        handle = _open_lock(path)
        if _takes(handle, path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
            return handle
        trouble = _locked(handle, path)
        os.close(handle)
        if time.monotonic() >= deadline:
            raise trouble
        time.sleep(_POLL_SECONDS)


def _takes(handle: int, path: Path, operation: int) -> bool:
    try:
        fcntl.flock(handle, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return _is_file(handle, path)


def _is_file(handle: int, path: Path) -> bool:
    """Whether the path still names the open file."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


def _locked(handle: int, path: Path) -> InputError:
    holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
    who = f"process {holder}" if holder.isdigit() else "another process"
    return InputError(
        f"{who} is working in {path.parent}",
        code="locked",
        place=str(path),
        advice="wait for it to finish, or end it; the lock goes with it",
    )
