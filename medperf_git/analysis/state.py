"""What may be made of a record today: it stands, or why it does not count.

The one place that listings, leaderboards and pages ask. Whether a record was rightly signed is
not asked here (the audit says so).

Example:
    >>> State("outdated", "model a/b revision 1 is superseded").counts
    False
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from medperf_git.analysis.doubt import Doubts
from medperf_git.store.paths import Place
from medperf_git.store.snapshot import Snapshot

StateName: TypeAlias = Literal["stands", "withdrawn", "superseded", "outdated", "doubted"]

_RESTING = ("model-association", "dataset-association", "result")
"""Kinds that count only while everything that they pin stands."""


@dataclass(frozen=True, slots=True)
class State:
    """A record's state.

    Attributes:
        name: `stands`, `withdrawn`, `superseded` (a newer revision stands), `outdated`
            (something that it pins no longer stands) or `doubted` (a key that signed it, or
            something that it pins, was compromised).
        reason: for `outdated` and `doubted`, what.
    """

    name: StateName
    reason: str = ""

    @property
    def counts(self) -> bool:
        """Whether the record counts."""
        return self.name == "stands"


class States:
    """The states of a registry's records at one commit."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._doubts = Doubts(snapshot)

    def of(self, place: Place) -> State:
        """The state of the record at a place."""
        if self._snapshot.is_withdrawn(place):
            return State("withdrawn")
        if not self._snapshot.stands(place):
            return State("superseded")
        gone = self._gone(place) if place.kind in _RESTING else ""
        if gone:
            return State("outdated", gone)
        doubt = self._doubts.reason(place)
        return State("doubted", doubt) if doubt else State("stands")

    def _gone(self, place: Place) -> str:
        for reference in self._snapshot.load(place).record.references():
            pin = reference.pin
            target = Place(reference.kind, pin.id, pin.revision)
            if not self._snapshot.stands(target):
                why = "withdrawn" if self._snapshot.is_withdrawn(target) else "superseded"
                return f"{reference.field} {pin.id} revision {pin.revision} is {why}"
        return ""
