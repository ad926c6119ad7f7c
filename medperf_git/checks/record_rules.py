"""Rules about single records: bytes, schema, and agreement with the path.

Example:
    >>> CanonicalBytes.code
    'canonical-bytes'
"""

from __future__ import annotations

from collections.abc import Iterator

from medperf_git.checks.report import Finding
from medperf_git.checks.rule import Rule
from medperf_git.checks.transition import Transition
from medperf_git.errors import CanonicalError, RecordError
from medperf_git.records.participant import Participant


class CanonicalBytes(Rule):
    """A record's bytes are its one canonical spelling (design.md §4)."""

    advice = "let `mpgit … submit` write the record"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every added record whose bytes are not canonical."""
        for place, error in transition.unreadable.items():
            if isinstance(error, CanonicalError):
                transition.blocked.add(place)
                where = (error.place or "").removeprefix(place.path).removeprefix(": ")
                yield self.finding(
                    place.path, error.message, field=where, advice=error.advice or ""
                )


class Schema(Rule):
    """A record is valid by its kind's JSON Schema and model, from the installed package."""

    advice = "docs/records.md describes the fields"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every added record that does not validate."""
        for place, error in transition.unreadable.items():
            if isinstance(error, RecordError):
                transition.blocked.add(place)
                where = (error.place or "").removeprefix(place.path).removeprefix(": ")
                yield self.finding(
                    place.path, error.message, field=where, advice=error.advice or ""
                )


class BodyAgreesWithPath(Rule):
    """Kind, id and revision in the body are those of the path."""

    advice = "the path is made from kind, id and revision: write all three alike"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every added record that says another id or revision."""
        for place, record in transition.judged():
            said = {"id": record.record_id, "revision": getattr(record, "revision", None)}
            if place.withdrawn:
                said["kind"] = getattr(record, "target_kind", None)
            wanted = {"id": place.id, "revision": place.revision, "kind": place.kind}
            for field, value in said.items():
                if value != wanted[field]:
                    transition.blocked.add(place)
                    yield self.finding(
                        place.path,
                        f"the body says {value}, the path says {wanted[field]}",
                        field=field,
                    )


class KeysKept(Rule):
    """A participant's next revision keeps every key; revoked keys stay revoked.

    Otherwise old signatures could no longer be read, or a revoked key would come back.
    """

    advice = "`mpgit participant rotate` writes the next revision"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every key that vanished, changed, or came back."""
        for place, record in transition.judged():
            if not isinstance(record, Participant) or place.revision == 1:
                continue
            before = transition.base.load(
                type(place)(place.kind, place.id, place.revision - 1)
            ).record
            assert isinstance(before, Participant)  # noqa: S101 (the path's kind)
            kept = {key.name: key for key in record.keys}
            for old in before.keys:
                new = kept.get(old.name)
                problem = None
                if new is None or new.public_key != old.public_key:
                    problem = "was removed or replaced"
                elif old.revoked is not None and new.revoked != old.revoked:
                    # A key that turns out compromised later may still be doubted.
                    doubted = new.revoked is not None and new.revoked.reason == "compromised"
                    if not doubted or old.revoked.reason == "compromised":
                        problem = "was revoked; its revocation can't be changed or taken back"
                if problem:
                    transition.blocked.add(place)
                    yield self.finding(
                        place.path, f"the key {old.name} {problem}", field=f"keys.{old.name}"
                    )
