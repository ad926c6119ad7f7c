"""Who may run now: a machine's processors, memory and graphics processors, shared out.

A task takes what it may use at most, before it starts, and gives it back at its end. First come,
first served: a large task is not starved by small ones that would still fit. What a task wants
beyond the whole machine is cut to it, so that it runs alone; graphics processors are never cut.
Does not know tasks or engines, and enforces nothing: ``limits`` and the engines do.

Example:
    >>> slots = Slots(Capacity(jobs=2, cpus=2, memory_mb=4096, gpus=("0",)))
    >>> with slots.take(Share(cpus=1, memory_mb=1024, gpus=1)) as gpus:
    ...     gpus
    ('0',)
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from medperf_git.errors import ExecutionError

_LOOK_SECONDS: Final = 0.2
"""How soon somebody who waits sees that everything was stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a site gives to all tasks together."""

    jobs: int
    """Tasks at a time."""
    cpus: int
    """Processors."""
    memory_mb: int
    """MiB of memory."""
    gpus: tuple[str, ...] = ()
    """Graphics processors, as the engine names them: `0`, `1`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one task may use at most."""

    cpus: int
    memory_mb: int
    gpus: int = 0


class Slots:
    """A machine's resources; for many threads."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self._jobs = capacity.jobs
        self._cpus = capacity.cpus
        self._memory = capacity.memory_mb
        self._gpus = list(capacity.gpus)
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    def refuse(self, share: Share, place: str) -> None:
        """Raises where a task could never run here.

        Raises:
            ExecutionError: `no-gpu`: it needs more graphics processors than there are.
        """
        if share.gpus > len(self.capacity.gpus):
            there = ", ".join(self.capacity.gpus) or "none"
            raise ExecutionError(
                f"needs {share.gpus} graphics processors; this run may use {there}",
                code="no-gpu",
                place=place,
                advice="name them: --gpus 0,1 (`nvidia-smi -L` lists them)",
            )

    @contextmanager
    def take(
        self, share: Share, stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[str, ...]]:
        """Waits for its turn; yields the graphics processors that are its own meanwhile.

        Args:
            share: what it may use at most.
            stopped: whether nothing new shall start any more.

        Raises:
            ExecutionError: `no-gpu`, or `interrupted` where it was stopped while it waited.
        """
        self.refuse(share, "gpus")
        wanted = Share(
            cpus=min(share.cpus, self.capacity.cpus),
            memory_mb=min(share.memory_mb, self.capacity.memory_mb),
            gpus=share.gpus,
        )
        gpus = self._wait(wanted, stopped)
        try:
            yield gpus
        finally:
            with self._changed:
                self._add(wanted, 1)
                self._gpus = sorted([*self._gpus, *gpus], key=self.capacity.gpus.index)
                self._changed.notify_all()

    def _wait(self, share: Share, stopped: Callable[[], bool]) -> tuple[str, ...]:
        me = object()
        with self._changed:
            self._waiting.append(me)
            try:
                while not stopped():
                    if self._waiting[0] is me and self._fits(share):
                        self._add(share, -1)
                        taken, self._gpus = self._gpus[: share.gpus], self._gpus[share.gpus :]
                        return tuple(taken)
                    self._changed.wait(_LOOK_SECONDS)
            finally:
                self._waiting.remove(me)
                self._changed.notify_all()
        raise ExecutionError("stopped before it began", code="interrupted")

    def _fits(self, share: Share) -> bool:
        return (
            self._jobs >= 1
            and self._cpus >= share.cpus
            and self._memory >= share.memory_mb
            and len(self._gpus) >= share.gpus
        )

    def _add(self, share: Share, sign: int) -> None:
        self._jobs += sign
        self._cpus += sign * share.cpus
        self._memory += sign * share.memory_mb
