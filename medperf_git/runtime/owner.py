"""Which process something belongs to, so that what a killed client left is found and stopped.

Containers carry it as a label, sandboxes as a variable of their outermost processes; a task that
reads its init's variables learns a process number of the host's from it, and no more. A process is
told from a later one of the same number by its start time, and from one of another machine or
container by boot and namespace. Only what is surely ours and surely orphaned is ever killed.

Example:
    >>> is_gone(owner()), is_gone("other-boot:1:1:1"), is_gone(owner().rpartition(":")[0] + ":1")
    (False, False, True)
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

VARIABLE: Final = "MPGIT_OWNER"
"""Names the owner in the environment of an engine's own processes."""
_STAT_START_TIME: Final = 19
_STAT_STATE: Final = 0
_PATIENCE_SECONDS: Final = 5.0
_PROC: Final = Path("/proc")


def owner(pid: int | None = None) -> str:
    """What tells a process from every other one: boot, namespace, number and start time."""
    number = os.getpid() if pid is None else pid
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    return f"{boot}:{namespace}:{number}:{_stat(number, _STAT_START_TIME)}"


def _stat(pid: int, field: int) -> str:
    try:
        # The program's name, in parentheses, may hold spaces: read what follows it.
        after = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2]
    except OSError:
        return "gone"
    return after.split()[field]


def is_gone(named: str) -> bool:
    """Whether an owner is surely no longer there: a process of this boot and namespace."""
    parts, here = named.split(":"), owner().split(":")
    if len(parts) != len(here) or parts[:2] != here[:2] or not parts[2].isdigit():
        return False
    return owner(int(parts[2])) != named


def orphans() -> Iterator[int]:
    """Processes of sandboxes whose client was killed before it could stop them."""
    mark = f"{VARIABLE}=".encode()
    for folder in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            if folder.stat().st_uid != os.getuid():
                continue
            entries = (folder / "environ").read_bytes().split(b"\0")
            named = [entry for entry in entries if entry.startswith(mark)]
            if any(is_gone(entry[len(mark) :].decode("ascii", "replace")) for entry in named):
                yield int(folder.name)


def kill_orphans() -> int:
    """Kills them, with all that runs in their namespaces; returns how many there were.

    They are gone when this returns: they could still write where the next task writes.
    """
    found = list(orphans())
    for pid in found:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for pid in found:
        while _stat(pid, _STAT_STATE) not in ("gone", "Z") and time.monotonic() < deadline:
            time.sleep(0.01)
    return len(found)
