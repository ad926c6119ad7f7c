"""Who must sign what: design.md §5, as one function of a record and the base.

``demand`` says which signatures make a record complete; ``keys_of`` says which keys speak for
a participant. Both look only at the base (and, for a registration or the genesis, at the
record itself). Verifies nothing: ``checks`` holds signatures against the demand.

Example:
    >>> Requirement("data owner", ("ky",), 1).missing({"ms"})
    1
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from medperf_git.records.association import DatasetAssociation, ModelAssociation
from medperf_git.records.base import Record
from medperf_git.records.benchmark import Benchmark, Committee
from medperf_git.records.dataset import Dataset
from medperf_git.records.mlcube import MLCube, Model
from medperf_git.records.participant import Key, Participant
from medperf_git.records.policy import Policy
from medperf_git.records.result import Result
from medperf_git.records.root import Root
from medperf_git.records.withdrawal import Withdrawal


class View(Protocol):
    """What authority asks of the base."""

    def root(self) -> Root | None:
        """The newest root, or None before the genesis."""

    def participant(self, participant: str, /) -> Participant | None:
        """A participant's newest record, or None once withdrawn."""

    def committee(self, benchmark: str, /) -> Committee | None:
        """The committee of the benchmark's newest revision, even if that is withdrawn."""

    def policy(self, benchmark: str, /) -> Policy | None:
        """The benchmark's standing policy."""

    def withdrawers(self, kind: str, record_id: str, /) -> frozenset[str]:
        """Who signed the withdrawal of a record's newest revision; nobody if there is none."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A number of different participants out of those who may."""

    role: str
    eligible: tuple[str, ...]
    threshold: int

    def missing(self, signers: set[str]) -> int:
        """How many signatures are still missing."""
        return max(0, self.threshold - len(signers & set(self.eligible)))


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to authorise a record: every requirement must be met."""

    requirements: tuple[Requirement, ...]

    def missing(self, signers: set[str]) -> int:
        """How many signatures are still missing in all."""
        return sum(requirement.missing(signers) for requirement in self.requirements)

    def given(self, signers: set[str]) -> int:
        """How many of the signatures count for it."""
        return sum(len(signers & set(requirement.eligible)) for requirement in self.requirements)


@dataclass(frozen=True, slots=True)
class Demand:
    """All ways to authorise a record, and the keys whose possession must be proved."""

    alternatives: tuple[Alternative, ...]
    proofs: tuple[Key, ...] = ()

    @property
    def eligible(self) -> frozenset[str]:
        """Everybody whose signature some way asks for."""
        return frozenset(
            participant
            for alternative in self.alternatives
            for requirement in alternative.requirements
            for participant in requirement.eligible
        )

    def nearest(self, signers: set[str]) -> Alternative:
        """The way with the fewest missing signatures, and of those the one that most began."""
        return min(self.alternatives, key=lambda way: (way.missing(signers), -way.given(signers)))


def demand(record: Record, base: View) -> Demand:
    """Which signatures make `record` complete, judged by the base.

    A demand that nobody can fulfil (no such benchmark, no root) has an empty `eligible`:
    default deny.
    """
    return _with_who_withdrew(record, base, _demand(record, base))


def _demand(record: Record, base: View) -> Demand:
    rule = _RULES.get(type(record))
    if rule is not None:
        return rule(record, base)
    if isinstance(record, Root):
        return _root(record, base)
    if isinstance(record, Participant):
        return _participant(record, base)
    if isinstance(record, Withdrawal):
        return _withdrawal(record, base)
    kind = getattr(record, "kind", "")
    if kind == "control":
        return _all(_administrators(base))
    return _all(_owner(record, f"{kind} owner"))


def _all(*requirements: Requirement) -> Demand:
    return Demand((Alternative(requirements),))


def _owner(record: Record, role: str) -> Requirement:
    return Requirement(role, (record.owner,), 1)


def _administrators(base: View, threshold: int | None = None) -> Requirement:
    root = base.root()
    if root is None:
        return Requirement("administrators", (), 1)
    return Requirement("administrators", root.administrator_ids, threshold or root.threshold)


def _committee(base: View, benchmark: str) -> Requirement:
    committee = base.committee(benchmark)
    if committee is None:
        return Requirement("committee", (), 1)
    return Requirement("committee", committee.members, committee.threshold)


def _root(record: Root, base: View) -> Demand:
    new = Requirement(
        f"administrators of root {record.revision}", record.administrator_ids, record.threshold
    )
    if record.revision == 1:
        return _all(new)
    old = _administrators(base)
    return _all(
        Requirement(f"administrators of root {record.revision - 1}", old.eligible, old.threshold),
        new,
    )


def _participant(record: Participant, base: View) -> Demand:
    root = base.root()
    itself = Requirement("itself", (record.id,), 1)
    if record.revision == 1:
        # At the genesis there is nobody yet who could approve an administrator.
        if root is None or root.registration == "open":
            return Demand((Alternative((itself,)),), record.active_keys)
        approved = Alternative((itself, _administrators(base, threshold=1)))
        return Demand((approved,), record.active_keys)
    before = base.participant(record.id)
    known = {key.public_key for key in before.keys} if before else set()
    new_keys = tuple(key for key in record.active_keys if key.public_key not in known)
    return Demand((Alternative((itself,)), Alternative((_administrators(base),))), new_keys)


def _benchmark(record: Record, base: View) -> Demand:
    assert isinstance(record, Benchmark)  # noqa: S101 (the dispatch table's key)
    committee = base.committee(record.id) or record.committee
    requirements = [
        _owner(record, "benchmark owner"),
        Requirement("committee", committee.members, committee.threshold),
    ]
    root = base.root()
    if root is None or root.benchmarks == "approve":
        requirements.append(_administrators(base))
    return _all(*requirements)


def _policy(record: Record, base: View) -> Demand:
    return _all(_committee(base, record.record_id))


def _association(record: Record, base: View) -> Demand:
    assert isinstance(record, ModelAssociation | DatasetAssociation)  # noqa: S101 (as above)
    is_model = isinstance(record, ModelAssociation)
    owner = _owner(record, "model owner" if is_model else "data owner")
    policy = base.policy(record.benchmark.id)
    if policy is not None:
        admission = policy.models if is_model else policy.datasets
        if admission.admits(record.owner):
            return _all(owner)
    return _all(owner, _committee(base, record.benchmark.id))


def _result(record: Record, base: View) -> Demand:
    assert isinstance(record, Result)  # noqa: S101 (as above)
    owner = _owner(record, "data owner")
    policy = base.policy(record.benchmark.id)
    if policy is not None and policy.results == "auto":
        return _all(owner)
    return _all(owner, _committee(base, record.benchmark.id))


_RULES = {
    Benchmark: _benchmark,
    Policy: _policy,
    ModelAssociation: _association,
    DatasetAssociation: _association,
    Result: _result,
}


def _withdrawal(record: Withdrawal, base: View) -> Demand:
    parts = record.target.id.split("/")
    # Results and associations belong to whoever asked for them, not to the benchmark's owner.
    owner = parts[2] if record.target_kind in _THIRD_PART_OWNS else parts[0]
    ways = [Alternative((Requirement("owner", (owner,), 1),))]
    if record.target_kind in ("model-association", "dataset-association", "policy"):
        ways.append(Alternative((_committee(base, "/".join(parts[:2])),)))
    ways.append(Alternative((_administrators(base),)))
    if record.target_kind == "policy":
        del ways[0]  # a policy is the committee's, not its chair's
    return Demand(tuple(ways))


_THIRD_PART_OWNS = frozenset({"model-association", "dataset-association", "result"})


_OWNED = (MLCube, Model, Dataset, Benchmark, ModelAssociation, DatasetAssociation, Result)


def _with_who_withdrew(record: Record, base: View, wanted: Demand) -> Demand:
    """What others than the owner took out of use comes back only with others' consent.

    An association comes back with its committee, anything else with the administrators. The
    owner's signature beside theirs does not make a withdrawal the owner's own.
    """
    if not isinstance(record, _OWNED):
        return wanted
    if not base.withdrawers(record.kind, record.record_id) - {record.owner}:
        return wanted
    if isinstance(record, ModelAssociation | DatasetAssociation):
        consent = _committee(base, record.benchmark.id)
    else:
        consent = _administrators(base)
    (way,) = wanted.alternatives
    if consent in way.requirements:
        return wanted
    return Demand((Alternative((*way.requirements, consent)),), wanted.proofs)


def keys_of(participant: str, record: Record, base: View) -> tuple[Key, ...]:
    """The keys that speak for a participant on this record.

    They are those active in the base; for a registration, whose subject the base does not
    know yet, those that the record itself lists.
    """
    if isinstance(record, Participant) and record.id == participant and record.revision == 1:
        return record.active_keys
    known = base.participant(participant)
    return known.active_keys if known else ()
