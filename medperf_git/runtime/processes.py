"""Processes as the kernel shows them: what they have started, and what they hold.

Changes nothing but by `kill`. A process may end at any time: then it holds nothing.

Example:
    >>> import os
    >>> next(family(os.getpid())) == os.getpid(), resident(os.getpid()) > 0
    (True, True)
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_KIB: Final = 1024
_FIRST: Final = "1"


def kill(pid: int) -> None:
    """Kill a process, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def family(pid: int) -> Iterator[int]:
    """A process and all that it has started, parents before their children."""
    waiting = [pid]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += _children(pid)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # it ended
        return found
    for task in tasks:
        with suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def resident(pid: int) -> int:
    """Bytes of anonymous and shared memory of a process, without the files that it maps.

    What several processes share counts for each in parts, where the kernel says so: data loaders
    are copies of their parent, and would else hold it as often as they are.
    """
    shares = list(_kernel_says(pid, "smaps_rollup", "Pss_Anon", "Pss_Shmem"))
    return _KIB * sum(shares or _kernel_says(pid, "status", "RssAnon", "RssShmem"))


def threads(pid: int) -> int:
    """Threads of a process."""
    return sum(_kernel_says(pid, "status", "Threads"))


def _kernel_says(pid: int, file: str, *names: str) -> Iterator[int]:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in names:
                yield int(value.split()[0])


def first_processes(pid: int) -> Iterator[int]:
    """Of a process and what it has started, those that are the first in a namespace of theirs."""
    for each in family(pid):
        with suppress(OSError):
            for line in Path(f"/proc/{each}/status").read_text().splitlines():
                # Its number in each namespace that it is in, from ours inwards.
                if line.startswith("NSpid:") and line.split()[2:][-1:] == [_FIRST]:
                    yield each
