"""Results: what was measured here becomes signed records, after its owner has seen it.

Example:
    >>> same_measurement({"metrics": [1], "revision": 1}, {"metrics": [1], "revision": 2})
    True
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.errors import InputError
from medperf_git.records.base import Record
from medperf_git.records.codec import build, dump
from medperf_git.records.result import Result
from medperf_git.store.home import read_json
from medperf_git.trust.keyring import Signer
from medperf_git.workflows.propose import (
    Proposal,
    next_revision,
    place_of,
    propose,
    short_slug,
    waiting,
)
from medperf_git.workflows.requests import added_records, judge_request
from medperf_git.workflows.session import Session


@dataclass(frozen=True)
class LocalResult:
    """A measurement on this disk.

    Attributes:
        data: the result record's data; the revision is not the final one.
        folder: the execution's folder.
        state: `new`, `waiting` (in the outbox), `requested` (in an open request) or
            `registered`.
        request: the open request that it is in, or "".
    """

    data: dict[str, Any]
    folder: Path
    state: str
    request: str = ""


def same_measurement(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Whether two results say the same but for their revision."""
    drop = {"revision"}
    return {k: v for k, v in left.items() if k not in drop} == {
        k: v for k, v in right.items() if k not in drop
    }


def local_results(
    session: Session, benchmark: str | None = None, dataset: str | None = None
) -> Iterator[LocalResult]:
    """What was measured here and not cleaned away, by execution folder.

    Args:
        session: the registry.
        benchmark: only of this benchmark.
        dataset: only of this dataset.
    """
    snapshot = session.snapshot()
    outbox = {place.id for proposal in waiting(session) for place in proposal.places}
    asked = _requested(session)
    for path in sorted(session.home.executions(session.entry.name).glob("*/execution.json")):
        data = read_json(path) or {}
        if benchmark not in (None, data["benchmark"]["id"]):
            continue
        if dataset not in (None, data["dataset"]["id"]):
            continue
        state = "waiting" if data["id"] in outbox else "new"
        request = ""
        for name, record in asked.get(data["id"], []):
            if same_measurement(dump(record), data):
                state, request = "requested", name
        for place in snapshot.revisions("result", data["id"]):
            if same_measurement(dump(snapshot.load(place).record), data):
                state = "registered"
        yield LocalResult(data, path.parent, state, request)


def _requested(session: Session) -> dict[str, list[tuple[str, Record]]]:
    """The results in this participant's open requests, as they were fetched last; by their ids."""
    found: dict[str, list[tuple[str, Record]]] = {}
    for request in session.forge.requests():
        if request.participant != session.entry.participant:
            continue
        judged = judge_request(session, request)
        for place, record in added_records(session, judged):
            if place.kind == "result" and not place.withdrawn:
                found.setdefault(place.id, []).append((request.id, record))
    return found


def new_results(found: list[LocalResult]) -> list[LocalResult]:
    """Those that nobody was asked about yet.

    Raises:
        InputError: `no-results`: none is new; the advice is what the others wait for.
    """
    new = [result for result in found if result.state == "new"]
    if new:
        return new
    advice = "mpgit run -b BENCHMARK -d DATASET; `mpgit result ls --local` lists all"
    why = ""
    if asked := sorted({result.request for result in found if result.request}):
        why = f": it is in the request {', '.join(asked)}"
        advice = f"mpgit request view {asked[0]}, mpgit request merge {asked[0]}"
    elif any(result.state == "waiting" for result in found):
        why = ": it is signed, and waits to be sent"
        advice = "mpgit registry sync"
    raise InputError(f"nothing new to submit{why}", code="no-results", advice=advice)


def result_proposal(session: Session, chosen: list[LocalResult], signer: Signer) -> Proposal:
    """Signed records of measurements, as one request.

    Raises:
        InputError: another participant's dataset.
        RecordError: a measurement's file was damaged.
    """
    snapshot = session.snapshot()
    proposals = []
    for local in chosen:
        revision = next_revision(snapshot, "result", local.data["id"])
        record = build("result", {**local.data, "revision": revision})
        assert isinstance(record, Result)  # noqa: S101 (built as one)
        if record.owner != session.participant:
            raise InputError(
                f"{record.dataset.id} belongs to {record.owner}, you are {session.participant}",
                code="wrong-participant",
                advice="run it with the home of the dataset's owner",
            )
        proposals.append(
            propose(
                place_of("result", record),
                record,
                identity=snapshot.identity,
                signatures={(session.participant, None): signer},
                title="",
            )
        )
    first = chosen[0].data
    names = f"{first['benchmark']['id']} on {first['dataset']['id']}"
    joined = Proposal(_slug(first, proposals), f"Submit {len(proposals)} results of {names}")
    for proposal in proposals:
        joined = joined.joined(proposal)
    return joined


def _slug(first: Mapping[str, Any], proposals: list[Proposal]) -> str:
    benchmark = first["benchmark"]["id"].split("/")[1]
    dataset = first["dataset"]["id"].split("/")[1]
    newest = max(place.revision for p in proposals for place in p.places)
    return short_slug(f"results-{benchmark}-{dataset}-{newest}")
