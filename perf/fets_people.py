"""People who type `mpgit` commands, each in a home of their own, and what each command took.

Every command is a process, as at a site. Knows nothing of what is done in which order, and
judges nothing: a command that loses a race, or comes too late, says so by its error's code.

Example::

    people = People(site, url)
    people.do("ky", "sync", "registry", "sync").wall
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from perf.fets_stopwatch import VARIABLE
from tests.support.site import ROOT, Site

_MPGIT: Final = (sys.executable, "-m", "perf.fets_stopwatch")
RACE: Final = "race"
"""The code of an error that says: somebody else was first, try again."""
LATE: Final = frozenset({"request-closed", "no-request", "already-approved", "not-asked"})
"""Codes that say: others have done it meanwhile."""


class FailedError(Exception):
    """A command ended in a way that nobody expected."""


@dataclass(frozen=True, slots=True)
class Took:
    """One command.

    Attributes:
        who: who typed it.
        what: which of a request's steps it is.
        phase: what everybody was doing then.
        began: seconds since the beginning.
        wall: seconds from its start to its end.
        cpu: processor seconds of it and of the git processes that it started.
        inside: seconds without the start of Python and its imports.
        seconds: by kind of work.
        races: how often a push of it came second.
        code: the exit code.
        error: its error's code, or "".
        said: what it printed, as JSON.
    """

    who: str
    what: str
    phase: str
    began: float
    wall: float
    cpu: float
    inside: float
    seconds: dict[str, float]
    races: int
    code: int
    error: str
    said: Any


@dataclass
class People:
    """Everybody who takes part.

    Attributes:
        site: the folder of homes.
        url: where the registry is served.
        phase: what everybody is doing now.
        took: every command so far.
        journal: where each command is written down as it ends, as a line of JSON.
    """

    site: Site
    url: str
    phase: str = "found"
    took: list[Took] = field(default_factory=list)
    journal: Path | None = None
    _began: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def do(self, who: str, what: str, *words: str | Path, accept: frozenset[str] = LATE) -> Took:
        """Somebody types a command; may be called by many threads.

        Args:
            who: whose home.
            what: which step this is, for the figures.
            words: the command, without `--json`.
            accept: errors' codes that are no failure.

        Raises:
            FailedError: it ended with another error than an accepted one.
        """
        done = self._run(who, what, [*map(str, words), "--json"])
        with self._lock:
            self.took.append(done)
            if self.journal:
                with self.journal.open("a") as file:
                    file.write(json.dumps({**asdict(done), "said": None}) + "\n")
        if done.code not in (0, 3) and done.error not in accept:
            raise FailedError(f"{who}: mpgit {' '.join(map(str, words))}: {done.said}")
        return done

    def _run(self, who: str, what: str, words: list[str]) -> Took:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self.site.folder) as folder:
            stopwatch, out, log = (Path(folder) / name for name in ("took.json", "out", "log"))
            own = {VARIABLE: str(stopwatch), "PYTHONPATH": str(ROOT)}
            with out.open("wb") as file, log.open("wb") as complaints:
                process = subprocess.Popen(
                    [*_MPGIT, *words],
                    cwd=self.site.folder,
                    env={**os.environ, **self.site.settings(who), **own},
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=complaints,
                )
                _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            wall = time.monotonic() - began
            said, complained = _json(out.read_text("utf-8")), log.read_text("utf-8")
            watched = _json(stopwatch.read_text() if stopwatch.exists() else "") or {}
        error = said.get("error", {}) if isinstance(said, dict) else {}
        if process.returncode not in (0, 3) and not error:
            raise FailedError(f"{who}: mpgit {' '.join(words)}: {complained[-2000:]}")
        return Took(
            who=who,
            what=what,
            phase=self.phase,
            began=began - self._began,
            wall=wall,
            cpu=usage.ru_utime + usage.ru_stime,
            inside=watched.get("inside", 0.0),
            seconds=watched.get("seconds", {}),
            races=watched.get("races", 0),
            code=process.returncode,
            error=error.get("code", "") if isinstance(error, dict) else "",
            said=said,
        )


def _json(text: str) -> Any:
    """The data, or None where a command printed none."""
    try:
        return json.loads(text)
    except ValueError:
        return None
