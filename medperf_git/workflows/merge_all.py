"""Merges every request that is complete, one after the other, by one client.

Many clients who merge at once race each other: one of them that merges what all have approved
loses nothing. What is not complete is left alone; what fails is told, and the others go on.

Example::

    for outcome in merge_each(session, complete(session)):
        print(outcome.request, outcome.state)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from medperf_git.errors import MpgitError
from medperf_git.workflows.requests import Judged, judge_request, merge
from medperf_git.workflows.session import Session

_GONE: Final = ("unreachable", "denied")
"""Codes of errors that the next request would meet too."""


@dataclass(frozen=True)
class Outcome:
    """What came of one request.

    Attributes:
        request: its id.
        state: whether it was merged.
        commit: main's new commit.
        error: why it was not merged.
    """

    request: str
    state: Literal["merged", "failed", "not tried"]
    commit: str = ""
    error: MpgitError | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        data = {"request": self.request, "state": self.state}
        more = {"commit": self.commit} if self.commit else {}
        return data | more | ({"error": self.error.as_dict()} if self.error else {})


def complete(session: Session) -> list[Judged]:
    """The open requests that could be merged now, as the host lists them.

    Raises:
        GitError: the host can't be asked.
    """
    session.refresh()
    found = []
    for request in session.forge.requests():
        try:
            judged = judge_request(session, request)
        except MpgitError:  # a branch that is damaged: `mpgit request ls` names it
            continue
        if judged.conflict is None and judged.report:
            found.append(judged)
    return found


def merge_each(session: Session, requests: Iterable[Judged]) -> Iterator[Outcome]:
    """Merges requests as they were seen; tries no more once the host can't be reached."""
    gone = False
    for judged in requests:
        name = judged.request.id
        if gone:
            yield Outcome(name, "not tried")
            continue
        try:
            commit = merge(session, name, seen=judged)
        except MpgitError as error:
            gone = error.code in _GONE
            yield Outcome(name, "failed", error=error)
        else:
            yield Outcome(name, "merged", commit)
