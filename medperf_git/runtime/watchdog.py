"""Looks after a running task, for every engine: time, outputs, disk and the user's wish to stop.

Does not kill: it tells the engine why to.

Example::

    with interruptible(job.stop) as interrupted:
        reason = Watchdog(limits, folders, interrupted).watch(process_ended)
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medperf_git.errors import ExecutionError
from medperf_git.runtime.interrupt import Interrupted
from medperf_git.runtime.limits import MIB, Limits
from medperf_git.runtime.outputs import MAX_DEPTH, measure

POLL_SECONDS: Final = 0.2
_FIRST_POLL_SECONDS: Final = 0.02
_MOST_OF_TIME: Final = 5
"""A look may take a fifth of the time at most: counting many files is work too."""
DISK_RESERVE: Final = 256 * MIB
"""Bytes that a task must leave free on the file system of its outputs."""


@dataclass(frozen=True, slots=True)
class Breach:
    """Why a task must stop."""

    code: str
    message: str
    advice: str | None = None

    def error(self, place: str) -> ExecutionError:
        """The error to raise once it has been stopped."""
        return ExecutionError(self.message, code=self.code, place=place, advice=self.advice)


class Watchdog:
    """Looks at the clock, at output folders and at the disk.

    Attributes:
        seconds: how long the task has been running.
    """

    def __init__(
        self,
        limits: Limits,
        folders: Sequence[Path],
        interrupted: Interrupted,
        memory: Callable[[], int] | None = None,
    ) -> None:
        self._limits = limits
        self._folders = folders
        self._interrupted = interrupted
        self._memory = memory
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the task started."""
        return time.monotonic() - self._started

    def start(self) -> None:
        """The task starts now.

        Raises:
            ExecutionError: `disk-full`: there is too little space to begin with.
        """
        full = self._disk()
        if full is not None:
            raise full.error(str(self._folders[0]))
        self._started = time.monotonic()

    def watch(self, ended: Callable[[float], bool]) -> Breach | None:
        """Wait for the end of the task.

        Args:
            ended: waits up to so many seconds and says whether the task has ended.

        Returns:
            Why it must be killed, or None when it ended by itself.
        """
        pause = _FIRST_POLL_SECONDS
        while True:
            looked = time.monotonic()
            breach = self.look()
            if breach is not None:
                return breach
            cost = time.monotonic() - looked
            left = max(0.0, self._limits.seconds - self.seconds)
            if ended(min(max(pause, _MOST_OF_TIME * cost), left + _FIRST_POLL_SECONDS)):
                return None
            pause = min(POLL_SECONDS, pause * 1.5)

    def look(self) -> Breach | None:
        """What is wrong at this moment."""
        limits = self._limits
        if self._interrupted:
            return Breach("interrupted", f"stopped by {self._interrupted.by}")
        if self.seconds >= limits.seconds:
            return Breach(
                "time-limit",
                f"still running after {limits.seconds:g} seconds",
                "raise resources.seconds in the record, or the site's limit",
            )
        if self._memory is not None and self._memory() > limits.memory_bytes:
            return out_of_memory(limits)
        return self.outputs() or self._disk()

    def outputs(self, *, reached: bool = False) -> Breach | None:
        """Whether the outputs are too large, or, with `reached`, as large as they may be."""
        size = files = 0
        for folder in self._folders:
            found = measure(folder)
            size, files = size + found.size, files + found.files
            if found.too_deep:
                return _too_much(f"outputs nested more than {MAX_DEPTH} folders deep")
        if size > self._limits.output_bytes or (reached and size == self._limits.output_bytes):
            return _too_much(f"outputs larger than {self._limits.output_mb} MiB")
        if files > self._limits.files:
            return _too_much(f"more than {self._limits.files} files in the outputs")
        return None

    def wrote(self) -> bool:
        """Whether there is any output at all."""
        return any(measure(folder).size > 0 for folder in self._folders)

    def _disk(self) -> Breach | None:
        for folder in self._folders:
            with suppress(OSError):
                disk = os.statvfs(folder)
                if disk.f_bavail * disk.f_frsize < DISK_RESERVE:
                    return Breach(
                        "disk-full",
                        f"less than {DISK_RESERVE // MIB} MiB are free where the outputs go",
                        "free space on that file system and run it again",
                    )
        return None


def out_of_memory(limits: Limits) -> Breach:
    """The memory limit was reached."""
    return Breach(
        "memory-limit",
        f"needed more than {limits.memory_mb} MiB of memory",
        "raise resources.memory_mb in the record, or the site's limit",
    )


def _too_much(message: str) -> Breach:
    return Breach(
        "output-limit", message, "raise resources.output_mb in the record, or the site's limit"
    )
