"""Rules about references: every pin names an existing, standing record of the right kind.

Example:
    >>> ReferenceStands.code
    'reference-stands'
"""

from __future__ import annotations

from collections.abc import Iterator

from medperf_git.checks.report import Finding
from medperf_git.checks.rule import Rule
from medperf_git.checks.transition import Transition
from medperf_git.errors import GitError, MpgitError
from medperf_git.records.base import Record, Reference
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.dataset import Dataset
from medperf_git.records.mlcube import MLCube
from medperf_git.records.policy import Policy
from medperf_git.records.root import Root
from medperf_git.records.withdrawal import Withdrawal
from medperf_git.store.paths import Place


class ReferenceResolves(Rule):
    """Every pin names a record in the head tree whose bytes have the pinned digest."""

    advice = "pin the revision that stands: `mpgit … view` shows its digest"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every pin that leads nowhere or to other bytes."""
        for place, record in transition.judged():
            for reference in record.references():
                try:
                    transition.head.resolve(reference.kind, reference.pin)
                except MpgitError as error:
                    pinned = Place(reference.kind, reference.pin.id, reference.pin.revision)
                    if isinstance(error, GitError) and pinned not in transition.unreadable:
                        raise  # the base itself is damaged: nobody's fault here
                    transition.blocked.add(place)
                    yield self.finding(place.path, error.message, field=reference.field)
        _block_what_rests_on_refused(transition)


def _block_what_rests_on_refused(transition: Transition) -> None:
    """Later rules follow references: they must not meet a record that was refused already."""
    refused = {*transition.blocked, *transition.unreadable}
    while True:
        resting = {
            place
            for place, record in transition.judged()
            for reference in record.references()
            if Place(reference.kind, reference.pin.id, reference.pin.revision) in refused
        }
        if not resting:
            return
        transition.blocked |= resting
        refused = resting


class ReferenceStands(Rule):
    """What a new record refers to stands: newest revision, not withdrawn, in the head tree."""

    advice = "refer to the newest revision that is not withdrawn"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every pin of something withdrawn or superseded."""
        for place, record in transition.judged():
            if isinstance(record, Withdrawal):
                continue
            for reference in record.references():
                yield from self._one(transition, place, reference)

    def _one(self, transition: Transition, place: Place, reference: Reference) -> Iterator[Finding]:
        pin = reference.pin
        target = Place(reference.kind, pin.id, pin.revision)
        if transition.head.stands(target):
            return
        transition.blocked.add(place)
        standing = transition.head.standing(target.kind, target.id)
        why = "is withdrawn" if transition.head.is_withdrawn(target) else "is superseded"
        now = f"; revision {standing.revision} stands" if standing else ""
        yield self.finding(
            place.path, f"{pin.id} revision {pin.revision} {why}{now}", field=reference.field
        )


class ReferenceRole(Rule):
    """A reference has the role that its field asks for: preparation, or metrics."""

    advice = "the role is in the MLCube's record"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every MLCube in a field for the other role."""
        for place, record in transition.judged():
            for reference in record.references():
                role = _role(record, reference)
                if role is None:
                    continue
                target = transition.head.resolve(reference.kind, reference.pin).record
                if isinstance(target, MLCube) and target.role != role:
                    transition.blocked.add(place)
                    yield self.finding(
                        place.path,
                        f"{target.id} is a {target.role} MLCube, not {role}",
                        field=reference.field,
                    )


def _role(record: Record, reference: Reference) -> str | None:
    if isinstance(record, Dataset):
        return "data-preparation"
    if isinstance(record, Benchmark) and reference.kind == "mlcube":
        return "metrics" if reference.field == "evaluation_metrics" else "data-preparation"
    return None


class KnownParticipants(Rule):
    """Everybody that a record gives a voice to is registered already.

    A committee of ids that nobody holds could be taken over by whoever registers them.
    """

    advice = "let them register first: `mpgit participant register`"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every unknown participant in a committee, a policy or an id."""
        for place, record in transition.judged():
            for field, participant in _voices(record):
                if transition.view.participant(participant) is None:
                    transition.blocked.add(place)
                    yield self.finding(
                        place.path,
                        f"{participant} is not registered, or was withdrawn",
                        field=field,
                    )


def _voices(record: Record) -> Iterator[tuple[str, str]]:
    if isinstance(record, Benchmark):
        for index, member in enumerate(record.committee.members):
            yield f"committee.members.{index}", member
    elif isinstance(record, Root):
        for index, administrator in enumerate(record.administrator_ids):
            yield f"administrators.{index}", administrator
    elif isinstance(record, Policy):
        for side in ("models", "datasets"):
            for index, participant in enumerate(getattr(record, side).participants):
                yield f"{side}.participants.{index}", participant
