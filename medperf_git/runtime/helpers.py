"""Helpers that work beside this process: each does a piece of work and writes what came of it.

A helper is a forked process where that is safe, which is where this process has one thread, and a
thread elsewhere. Forked ones cost two or three milliseconds and don't wait for Python's
interpreter lock. A helper that dies leaves its results incomplete, and nothing else.

Example:
    >>> def work(out, go_on):
    ...     _ = os.write(out, b"done")
    >>> with helped([work], fork=False) as helpers:
    ...     os.read(helpers[0].results, 9)
    b'done'
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Protocol

Work = Callable[[int, Callable[[], bool]], None]
"""Gets a handle to write to, and what says whether to go on: asked often, it ends work early."""

_SIGNALS: Final = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Helper(Protocol):
    """Somebody at work."""

    results: int
    """A handle: what was written, until its end."""

    def end(self) -> None:
        """Stop, if not done, and clean up."""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def forks_safely() -> bool:
    """Whether nothing else runs in this process: what a thread has locked stays so in a fork."""
    try:
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 (names are enough)
    except OSError:
        return False


@contextmanager
def helped(pieces: Sequence[Work], *, fork: bool) -> Iterator[list[Helper]]:
    """Helpers at work while the block runs; leaving it ends them, however it is left.

    Args:
        pieces: a helper's work each; fewer helpers begin where the system has no room.
        fork: whether they are processes.
    """
    helpers: list[Helper] = []
    try:
        # Ctrl-C must not come between the beginning of a helper and its entry in the list. A
        # forked one keeps them away for good: it ends with this process.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            with suppress(OSError):
                for work in pieces:
                    helpers.append(_Process(work) if fork else _Thread(work))  # noqa: PERF401
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield helpers
    finally:
        for helper in helpers:
            helper.end()


class _Process:
    def __init__(self, work: Work) -> None:
        client = os.getpid()
        self.results, out = os.pipe()
        try:
            self._pid = os.fork()
            if not self._pid:
                _work_and_exit(work, out, client)
        except OSError:
            os.close(self.results)
            raise
        finally:
            os.close(out)

    def end(self) -> None:
        os.close(self.results)
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _work_and_exit(work: Work, out: int, client: int) -> None:
    """All that a fork does: it never gets back to what the client was about."""
    try:
        gc.disable()  # nothing of the client's may be finalised here
        work(out, lambda: os.getppid() == client)
    finally:
        os._exit(0)


class _Thread:
    def __init__(self, work: Work) -> None:
        self.results, self._out = os.pipe()
        self._work = work
        self._stop = threading.Event()
        # A daemon: one that hangs in a dead network drive must not keep the process.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work(self._out, lambda: not self._stop.is_set())
        finally:
            os.close(self._out)

    def end(self) -> None:
        self._stop.set()
        os.close(self.results)  # wakes it where it waits for a reader
        self._thread.join()
