"""``mpgit`` with a stopwatch: the same command, and a line of JSON that says where the time went.

Wraps the few functions that a command spends its time in, then runs the product's own entry
point; changes nothing of what it does. What nobody claims is reading, signing and printing; what
happens before (starting Python, importing) is for who started it to see.

Example:
    $ MPGIT_PERF_STOPWATCH=took.json python -m perf.fets_stopwatch registry sync
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

from medperf_git.cli.main import invoke
from medperf_git.errors import RaceError
from medperf_git.vcs import Repository
from medperf_git.workflows import propose, requests
from medperf_git.workflows.session import Session

VARIABLE: Final = "MPGIT_PERF_STOPWATCH"
"""Names the file that is written."""
_PARTS: Final[tuple[tuple[Any, str, str], ...]] = (
    (Repository, "fetch", "fetching"),
    (Repository, "push", "pushing"),
    (Session, "accept", "auditing"),
    (propose, "check", "checking"),
    (requests, "check", "checking"),
)
"""Whose which function is what kind of work; what one calls of the others is not its own."""


class Stopwatch:
    """Seconds and calls by kind of work, and how many pushes came second."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self.races = 0
        self._within = 0.0
        """Seconds of what the innermost running function called of the others."""

    def wrap(self, owner: Any, name: str, kind: str) -> None:
        """Has a function's time counted from now on."""
        work: Callable[..., Any] = getattr(owner, name)

        @wraps(work)
        def timed(*words: Any, **named: Any) -> Any:
            began, before, self._within = time.perf_counter(), self._within, 0.0
            try:
                return work(*words, **named)
            except RaceError:
                self.races += kind == "pushing"
                raise
            finally:
                took = time.perf_counter() - began
                self.seconds[kind] += took - self._within
                self.calls[kind] += 1
                self._within = before + took

        setattr(owner, name, timed)


def main(words: list[str]) -> int:
    """Runs the command and writes what it took; returns its exit code."""
    watch = Stopwatch()
    for owner, name, kind in _PARTS:
        watch.wrap(owner, name, kind)
    began = time.perf_counter()
    code = invoke(words)
    inside = time.perf_counter() - began
    if target := os.environ.get(VARIABLE):
        took = {"inside": inside, "seconds": watch.seconds, "calls": watch.calls}
        Path(target).write_text(json.dumps({**took, "races": watch.races}))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
