"""The user's wish to stop: a signal becomes a mark, which whoever works looks at.

So stopping and cleaning up are never interrupted themselves. One mark may stop many threads: only
the main thread gets signals. A second signal changes nothing: cleaning up is quick, and what is
left half-way would stay.

Example:
    >>> with interruptible() as interrupted:
    ...     bool(interrupted)
    False
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted:
    """Whether somebody asked to stop; false until then."""

    def __init__(self) -> None:
        self.by: str | None = None

    def __bool__(self) -> bool:
        return self.by is not None


@contextmanager
def interruptible(given: Interrupted | None = None) -> Iterator[Interrupted]:
    """Turns SIGINT, SIGTERM and SIGHUP into a mark while the block runs.

    Args:
        given: a mark that somebody else sets: then signals stay as they are, and so they do
            outside the main thread, which never gets any.
    """
    # Not `or`: a mark is false until somebody sets it.
    mark = Interrupted() if given is None else given

    def note(number: int, _frame: FrameType | None) -> None:
        mark.by = signal.Signals(number).name

    if given is not None or threading.current_thread() is not threading.main_thread():
        yield mark
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        # A signal that the caller ignores (nohup) stays ignored.
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, note)
    try:
        yield mark
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
