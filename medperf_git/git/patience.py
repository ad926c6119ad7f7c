"""Bounds for a git that lists what a stranger made: its memory, and how long it may say nothing.

A small tree can spell out to billions of paths. Git walks them all before it says a word of the
commit: here it dies instead, and what it was asked for fails. Knows nothing of what git is asked.

Example:
    >>> process = subprocess.Popen(["sleep", "60"])
    >>> with Patience(process, seconds=0.1) as patience:
    ...     with patience.waiting():
    ...         process.wait() < 0
    True
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

MOST_BYTES: Final = 1 << 30
"""Of memory of its own; what git maps from disk does not count."""
SILENT_SECONDS: Final = 120.0
"""A large history has a commit every millisecond, and begins within seconds."""


class Patience:
    """Ends a process that keeps somebody waiting too long, or takes too much memory."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float = SILENT_SECONDS) -> None:
        """Bounds the memory; the time is watched within the block."""
        self._process = process
        self._seconds = seconds
        self._since: float | None = None
        self._over = threading.Event()
        _bound(process)

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Meanwhile its silence counts; elsewhere it may be us who are slow."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def _watch(self) -> None:
        while not self._over.wait(min(1.0, self._seconds)):
            since = self._since
            if since is not None and time.monotonic() - since > self._seconds:
                self._process.kill()
                return


def _bound(process: subprocess.Popen[bytes]) -> None:
    try:
        from resource import RLIMIT_DATA, prlimit  # noqa: PLC0415 (Linux alone has it)
    except ImportError:
        return
    prlimit(process.pid, RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
