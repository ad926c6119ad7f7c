"""Brings a long history slice by slice: memory does not grow with it, and nothing comes twice.

What git needs to take a pack in (``index-pack``), and its server to make one, grows with the
objects in it. So a fetch that turns out to be large is stopped. Then the commits come alone, which
show where to cut, and then the rest along first parents, one slice after the other. What came in
whole slices stays: whoever was interrupted goes on behind it. A server that does not leave trees
out sends everything at once, as ever. Points no ref but its own marks.

Example::

    slices = Slices(transport)
    slices.bring({"refs/heads/main": oid})
    slices.forget()
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from medperf_git.git.failure import gives_no_ids
from medperf_git.git.progress import Limit, StoppedError
from medperf_git.git.transport import Transport, TransportError

MOST: Final = 1_500_000
"""Objects in a slice: some 230 MB of git's memory."""
STEP: Final = 32_768
"""First parents in a slice: fewer objects than `MOST` in a registry, where a merge has some 20."""
_LEAST: Final = 64
"""A slice of so few is taken however large it is."""
_COMMITS: Final = "tree:0"
_FOLDER: Final = "commits"
_MARKS: Final = "refs/mpgit/brought/"
_SCALE: Final = 1000
_COMMITS_SHARE: Final = 0.1
"""Of all bytes, those of the commits alone."""


class _NoIdsError(Exception):
    """The server gives nothing but what it lists."""


@dataclass(frozen=True)
class Slices:
    """What is brought from one other repository, however much it is.

    Attributes:
        transport: the way to it.
        chosen: a filter; what it leaves out is missing then.
        most: objects in a slice.
        step: first parents in a slice.
    """

    transport: Transport
    chosen: str = ""
    most: int = MOST
    step: int = STEP

    def bring(self, wanted: Mapping[str, str]) -> None:
        """Brings refs (their names there, each with its id), and all that they need.

        Raises:
            TransportError: what git said; whole slices that came are here.
        """
        if not begun(self.transport.folder, self.chosen) and self._at_once(wanted):
            return
        line = self._line(wanted)
        at, step, size = 0, self.step, len(line)
        with suppress(_NoIdsError):
            while at < size:
                count = min(step, size - at)
                way = self._told(_behind(at, size), _behind(at + count, size))
                limit = Limit(self.most if count > _LEAST else 0)
                if self._slice(way, line[at + count - 1], limit):
                    at += count
                else:
                    step = count // 2
        # What stands beside the line; and all of it, where there was none, or no slice came.
        (self._told(1, 1) if at else self.transport).bring(wanted, chosen=self.chosen)

    def forget(self) -> None:
        """Removes what only slices need; for when all has come, and has refs of its own."""
        if found := list(self.transport.folder.glob(f"{_FOLDER}-*")):
            orders = [f"delete {_MARKS}{oid}" for oid in self._marked()]
            self._git("update-ref", "--stdin", given=orders)
            for folder in found:
                shutil.rmtree(folder, ignore_errors=True)

    def _at_once(self, wanted: Mapping[str, str]) -> bool:
        """Whether everything came; nothing did, where that is much."""
        try:
            self.transport.bring(wanted, chosen=self.chosen, limit=Limit(self.most))
        except StoppedError:
            return False
        return True

    def _slice(self, way: Transport, head: str, limit: Limit) -> bool:
        """Whether a slice came, which stays even where the rest does not."""
        try:
            way.bring({head: head}, chosen=self.chosen, limit=limit, part=True)
        except StoppedError:
            return False
        except TransportError as error:
            if gives_no_ids(error.stderr):
                raise _NoIdsError from error
            raise
        self._git("update-ref", _MARKS + head, head)
        return True

    def _line(self, wanted: Mapping[str, str]) -> list[str]:
        """The first parents that are not here yet, oldest first; none where that is not told."""
        folder = _folder(self.transport.folder, self.chosen)
        alone = replace(
            self._told(0, _COMMITS_SHARE),
            packs=folder / "objects" / "pack",
            environment={**self.transport.environment, "GIT_DIR": str(folder)},
        )
        self._git("init", "--quiet", "--bare", "--template=", there=alone)
        heads = {oid: oid for oid in wanted.values()}
        try:
            alone.bring(heads, chosen=_COMMITS, limit=Limit(filtered=True), part=True)
        except (StoppedError, TransportError) as error:
            if isinstance(error, TransportError) and self._marked():
                raise  # what came stays for another try
            self.forget()
            return []
        for oid in heads:  # so that whoever goes on later gets only what is new
            self._git("update-ref", _MARKS + oid, oid, there=alone)
        asked = [*heads, *(f"^{oid}" for oid in self._marked())]
        words = ("rev-list", "--first-parent", "--reverse", "--ignore-missing", "--stdin")
        return self._git(*words, given=asked, there=alone).splitlines()

    def _marked(self) -> list[str]:
        """Where the slices end that are here."""
        return self._git("for-each-ref", "--format=%(objectname)", _MARKS).splitlines()

    def _told(self, begin: float, end: float) -> Transport:
        """The way, with its progress told as a part of the whole."""

        def tell(done: int, of: int) -> None:
            self.transport.tell(int(_SCALE * (begin + (end - begin) * done / of)), _SCALE)

        return replace(self.transport, tell=tell)

    def _git(self, *words: str, given: Iterable[str] = (), there: Transport | None = None) -> str:
        done = subprocess.run(
            ["git", *words],
            input="".join(f"{line}\n" for line in given).encode(),
            capture_output=True,
            cwd=self.transport.folder,
            env=dict((there or self.transport).environment),
            check=False,
        )
        if done.returncode:
            raise TransportError(done.stderr.decode("utf-8", "replace"))
        return done.stdout.decode()


def begun(folder: Path, chosen: str = "") -> bool:
    """Whether slices with this filter came to a Git folder, and not all of them yet."""
    return _folder(folder, chosen).exists()


def _folder(folder: Path, chosen: str) -> Path:
    return folder / f"{_FOLDER}-{chosen.partition(':')[0] or 'all'}"


def _behind(at: int, size: int) -> float:
    """How much of everything is here behind so many commits of a line."""
    return _COMMITS_SHARE + (1 - _COMMITS_SHARE) * at / size
