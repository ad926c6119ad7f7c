r"""Listens to what a git says of its progress, and stops it where more comes than was meant.

What it says is read from the file that it is written to, apart from the process: nobody has to
empty a pipe, and whatever else holds the file open keeps nobody waiting. How much there is, git
says before it sends it (`Enumerating objects`, `Receiving objects`, git-index-pack(1)).

Example:
    >>> without_progress("remote: Counting objects:  50% (1/2)\rfatal: early EOF\n")
    'fatal: early EOF'
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

from medperf_git.progress import Progress

_EVERY_SECONDS: Final = 0.2
_FOUND = re.compile(rb"Enumerating objects: +(\d+)")
_RECEIVED = re.compile(rb"Receiving objects: +\d+% \((\d+)/(\d+)\)")
_UNFILTERED: Final = b"filtering not recognized by server"
_PROGRESS = re.compile(r"(remote: )?(\w+ing [a-z ]+: +\d+|Total \d+ )")


@dataclass(frozen=True)
class Limit:
    """When a fetch is stopped.

    Attributes:
        most: how many objects are meant, where git counts them; 0 for whatever comes.
        filtered: the server has to leave out what the filter says.
    """

    most: int = 0
    filtered: bool = False


NONE: Final = Limit()


class StoppedError(Exception):
    """More comes than was meant; nothing of it is kept."""


@contextmanager
def watched(
    process: subprocess.Popen[bytes], said: IO[bytes], limit: Limit, tell: Progress
) -> Iterator[None]:
    """A block in which a git fetches; it is stopped where there is too much.

    Args:
        process: the git; the block waits for its end.
        said: the file to which it writes its errors and its progress.
        limit: when it is stopped.
        tell: called with how many objects came, of how many.

    Raises:
        StoppedError: it was stopped.
    """
    watch = _Watch(process, said, limit, tell)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.over.set()
        thread.join()
    stopped = watch.stopped
    watch.look()  # at what it said last
    if stopped or (limit.filtered and watch.stopped):
        raise StoppedError


class _Watch:
    """What is known of one fetch."""

    def __init__(
        self, process: subprocess.Popen[bytes], said: IO[bytes], limit: Limit, tell: Progress
    ) -> None:
        self._process = process
        self._file = said.fileno()
        self._limit = limit
        self._tell = tell
        self._at = 0
        self.over = threading.Event()
        self.stopped = False

    def run(self) -> None:
        while not self.over.wait(_EVERY_SECONDS):
            self.look()
            if self.stopped:
                self._process.terminate()
                return

    def look(self) -> None:
        """Reads what is new; a line that is cut in two is read again with its other half."""
        # The file's own position belongs to git, which writes there.
        new = os.pread(self._file, os.fstat(self._file).st_size - self._at, self._at)
        end = max(new.rfind(b"\r"), new.rfind(b"\n")) + 1
        self._at, new = self._at + end, new[:end]
        received = [(int(done), int(of)) for done, of in _RECEIVED.findall(new)]
        found = [int(count) for count in _FOUND.findall(new)] + [of for _, of in received]
        unfiltered = self._limit.filtered and _UNFILTERED in new
        self.stopped = unfiltered or 0 < self._limit.most < max(found, default=0)
        if received and not self.stopped:
            self._tell(*received[-1])


def without_progress(said: str) -> str:
    """What a git said, without what it said of its progress."""
    lines = re.split(r"[\r\n]+", said)
    return "\n".join(line for line in lines if line and not _PROGRESS.match(line))
