"""Submitting records that somebody owns: MLCubes, models, benchmarks, policies, withdrawals.

Each function turns a draft into a signed proposal; sending is ``propose.send``. A benchmark is
tested on its demo data first, and nothing is signed if the test fails.

Example:
    >>> target_place("dataset", "ky/opt", 2).path
    'registry/datasets/ky/opt/2.yaml'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from medperf_git.errors import InputError
from medperf_git.records.base import Record
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.codec import build, replace
from medperf_git.records.execution import CompatibilityTest
from medperf_git.records.mlcube import Model
from medperf_git.records.policy import Policy
from medperf_git.records.withdrawal import Withdrawal
from medperf_git.store.paths import Place, SignaturePlace, locate
from medperf_git.store.snapshot import Loaded, Snapshot
from medperf_git.trust.keyring import Signer
from medperf_git.workflows.compatibility import Parts, registered_parts, untested
from medperf_git.workflows.drafts import Draft, complete, faults_of, record_from, standing_pin
from medperf_git.workflows.propose import Proposal, next_revision, place_of, propose
from medperf_git.workflows.session import Session

Tester = Callable[[Parts], CompatibilityTest]
"""Runs a compatibility test; raises where it fails."""


def sign_record(
    session: Session, kind: str, record: Record, signer: Signer, title: str
) -> Proposal:
    """A record signed by this participant."""
    return propose(
        place_of(kind, record),
        record,
        identity=session.snapshot().identity,
        signatures={(session.participant, None): signer},
        title=title,
    )


def container_record(session: Session, kind: str, draft: Draft) -> Record:
    """The MLCube or model that a draft stands for.

    Raises:
        InputError, RecordError: the draft is not usable.
    """
    snapshot = session.snapshot()
    data = complete(draft, kind, snapshot, session.participant)
    record = record_from(draft, kind, data)
    refuse_unchanged(snapshot, kind, record)
    return record


def refuse_unchanged(snapshot: Snapshot, kind: str, record: Record) -> None:
    """Raises where a new revision would say what the standing one says.

    A benchmark's compatibility test is left aside: running it again is no change.

    Raises:
        InputError: nothing would change.
    """
    place = snapshot.standing(kind, record.record_id)
    if place is None:
        return
    aside = {"revision", "compatibility_test"}
    now, new = (r.model_dump(exclude=aside) for r in (snapshot.load(place).record, record))
    if now == new:
        raise InputError(
            f"{kind} {record.record_id} revision {place.revision} says just this already",
            code="no-change",
            place=place.path,
            advice="change the draft; a new revision needs new associations",
        )


def tested_benchmark(session: Session, draft: Draft, test: Tester) -> Benchmark:
    """The benchmark that a draft stands for, tested on its demo data.

    Raises:
        InputError, RecordError: the draft is not usable.
        ExecutionError: the compatibility test failed.
    """
    snapshot = session.snapshot()
    data = complete(draft, "benchmark", snapshot, session.participant)
    if "compatibility_test" in data:
        raise draft.error("compatibility_test", "is filled in by submitting", "remove it")
    with faults_of(draft):
        benchmark = untested(data)
    refuse_unchanged(snapshot, "benchmark", benchmark)
    model = snapshot.resolve("model", benchmark.reference_model).record
    assert isinstance(model, Model)  # noqa: S101 (the path's kind)
    outcome = test(registered_parts(snapshot, benchmark, model))
    done = replace(benchmark, compatibility_test=outcome)
    assert isinstance(done, Benchmark)  # noqa: S101 (a copy of one)
    return done


def policy_record(
    session: Session, benchmark: str, changes: Mapping[str, Any], draft: Draft | None
) -> Policy:
    """The next policy: from a draft, or the standing one with changes.

    Raises:
        InputError: no such benchmark, or nothing would change.
    """
    snapshot = session.snapshot()
    pin = standing_pin(snapshot, "benchmark", benchmark)
    now = snapshot.policy(benchmark)
    data: dict[str, Any] = {}
    if draft is not None:
        data = dict(draft.data)
    elif now is not None:
        data = now.model_dump(mode="json")
    data |= {**changes, "kind": "policy", "id": benchmark, "benchmark": pin.model_dump()}
    data["revision"] = next_revision(snapshot, "policy", benchmark)
    record = build("policy", data) if draft is None else record_from(draft, "policy", data)
    assert isinstance(record, Policy)  # noqa: S101 (built as one)
    if now is not None and record.model_copy(update={"revision": now.revision}) == now:
        raise InputError("nothing would change", code="no-change", place=benchmark)
    return record


def target_place(kind: str, record_id: str, revision: int) -> Place:
    """Where a record stands."""
    return Place(kind, record_id, revision)


def find_record(snapshot: Snapshot, text: str) -> Loaded:
    """The record that a person names: a path, or `kind/id[@revision]`.

    Raises:
        InputError: nothing has that name.
    """
    located = locate(text)
    if isinstance(located, SignaturePlace):
        located = located.record
    if located is None:
        name, _, revision = text.partition("@")
        kind, _, record_id = name.partition("/")
        try:
            if revision:
                located = Place(kind, record_id, int(revision))
            else:
                standing = snapshot.standing(kind, record_id)
                located = standing or snapshot.newest(kind, record_id)
        except (KeyError, IndexError, ValueError):
            located = None
    if located is None or not snapshot.has(located):
        raise InputError(
            f"no such record: {text}",
            code="no-record",
            advice="name it by its path, or as kind/id or kind/id@revision, "
            "such as dataset/ky/opt or result/…/…@1",
        )
    return snapshot.load(located)


def withdrawal(session: Session, text: str, reason: str) -> tuple[Place, Withdrawal]:
    """The withdrawal of a record, and where it stands.

    Raises:
        InputError: no such record, withdrawn already, or of a kind that never is.
    """
    snapshot = session.snapshot()
    loaded = find_record(snapshot, text)
    place = loaded.place
    if place.kind in ("root", "control"):
        raise InputError(
            f"a {place.kind} is never withdrawn",
            code="not-withdrawable",
            advice="write the next one",
        )
    if snapshot.is_withdrawn(place):
        raise InputError(f"{place.path} is withdrawn already", code="already-withdrawn")
    data = {
        "kind": "withdrawal",
        "id": place.id,
        "revision": place.revision,
        "target_kind": place.kind,
        "target": loaded.pin.model_dump(),
        "reason": reason,
    }
    record = build("withdrawal", data)
    assert isinstance(record, Withdrawal)  # noqa: S101 (built as one)
    return place.withdrawal, record
