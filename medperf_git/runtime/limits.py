"""The limits that a task runs under: what its record asks for, within what the site gives.

Does not enforce anything: engines and ``watchdog`` do.

Example:
    >>> limits = combine(Resources(memory_mb=8192), Cap(memory_mb=2048))
    >>> limits.memory_mb, shortfalls(Resources(memory_mb=8192), Cap(memory_mb=2048))
    (2048, ['memory_mb: asks for 8192, the site gives 2048'])
"""

from __future__ import annotations

import resource
from dataclasses import dataclass, fields
from typing import Final

from medperf_git.records.container import Resources

MIB: Final = 1024 * 1024
MAX_FILES: Final = 200_000
"""Files and folders that a task's outputs may have: no record asks for it, disks need it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """The most that a site gives to any task; None where it sets no limit of its own."""

    memory_mb: int | None = None
    cpus: int | None = None
    processes: int | None = None
    seconds: int | None = None
    output_mb: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a task really gets; the units are those of `Resources`."""

    memory_mb: int
    cpus: int
    processes: int
    seconds: float
    output_mb: int
    files: int = MAX_FILES

    @property
    def memory_bytes(self) -> int:
        """Memory in bytes."""
        return self.memory_mb * MIB

    @property
    def output_bytes(self) -> int:
        """Bytes that the outputs may take in all, and so any single file."""
        return self.output_mb * MIB

    @property
    def scratch_bytes(self) -> int:
        """Size of `/tmp`, which lives in memory: half of it, so that the task has the rest."""
        return self.memory_bytes // 2


def combine(asked: Resources, cap: Cap | None = None) -> Limits:
    """The smaller of what is asked and what is given, field by field."""
    given = cap or Cap()
    return Limits(
        memory_mb=_least(asked.memory_mb, given.memory_mb),
        cpus=_least(asked.cpus, given.cpus),
        processes=_least(asked.processes, given.processes),
        seconds=_least(asked.seconds, given.seconds),
        output_mb=_least(asked.output_mb, given.output_mb),
    )


def shortfalls(asked: Resources, cap: Cap | None) -> list[str]:
    """Where a site gives less than is asked: a caller may refuse, or run and see."""
    found = []
    for field in fields(Cap):
        given, wanted = getattr(cap or Cap(), field.name), getattr(asked, field.name)
        if given is not None and given < wanted:
            found.append(f"{field.name}: asks for {wanted}, the site gives {given}")
    return found


def core_bytes() -> int:
    """The limit on a core dump, in bytes: the one with which nobody gets the memory of a task.

    With a limit of zero the kernel still hands it to the program that `kernel.core_pattern` names,
    if it names one, and some send it away. One byte is a limit that keeps it from that too
    (fs/coredump.c, where it ends recursions).
    """
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    return 0 if hard == 0 else 1


def _least(asked: int, given: int | None) -> int:
    return asked if given is None else min(asked, given)
