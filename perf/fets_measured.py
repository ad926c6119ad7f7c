"""What the sites of a replayed challenge have on their disks: datasets, and what models gave there.

Stands in for the containers alone: the files are those that `mpgit dataset prepare` and `mpgit
run` leave, the plan of the run and the result's form are the product's own, and the numbers are
chance. What ran is taken from each model's compatibility test, which did run.

Example::

    write_executions(site, "site-1", "site-1/set")
"""

from __future__ import annotations

import random
from typing import Any, Final

from medperf_git.records.association import ModelAssociation
from medperf_git.records.base import Record
from medperf_git.records.codec import build
from medperf_git.records.execution import CompatibilityTest
from medperf_git.store.home import write_json
from medperf_git.store.snapshot import Snapshot
from medperf_git.workflows.datasets import fingerprint_of
from medperf_git.workflows.drafts import standing_pin
from medperf_git.workflows.plan import Candidate, Plan, execution_folder, plan
from medperf_git.workflows.session import Session
from perf.registry_results import UnfaithfulError
from tests.support.site import BENCHMARK, REGISTRY, Site

_CASES: Final = (80, 4000)
_RUN: Final = ("infer", "evaluate")
_DAY: Final = "2026-01-31"


def _chance(*about: str) -> random.Random:
    return random.Random("/".join(about))  # noqa: S311 (no secret)


def write_dataset(site: Site, who: str, dataset: str) -> None:
    """A prepared dataset, as `mpgit dataset prepare` leaves it."""
    cases = _chance(dataset).randrange(*_CASES)
    with Session.open(site.home(who), None) as session:
        snapshot = session.snapshot()
        pin = standing_pin(snapshot, "mlcube", "anna/fever-prep")
    folder = site.home(who).dataset(REGISTRY, dataset)
    for side in ("data", "labels"):
        (folder / side).mkdir(parents=True)
        (folder / side / "table.csv").write_text(f"case\n{dataset} {side}\n")
    facts = {
        "id": dataset,
        "name": f"Fever at {who}",
        "benchmark": BENCHMARK,
        "preparation": pin.model_dump(),
        "fingerprint": fingerprint_of(folder / "data", folder / "labels"),
        "cases": cases,
        "statistics": {"cases": cases, "positive": cases // 3},
    }
    write_json(folder / "dataset.json", facts)


def write_executions(site: Site, who: str, dataset: str) -> int:
    """What every associated model gave on a dataset, as `mpgit run` leaves it; returns how many."""
    with Session.open(site.home(who), None) as session:
        snapshot = session.snapshot()
        work = plan(session, BENCHMARK, dataset, [])
        for candidate in work.candidates:
            record = _result(work, candidate, _test(snapshot, work, candidate))
            folder = execution_folder(session, work, candidate.pin)
            data = record.model_dump(mode="json", exclude_none=True)
            write_json(folder / "execution.json", data)
        return len(work.candidates)


def _test(snapshot: Snapshot, work: Plan, candidate: Candidate) -> CompatibilityTest:
    """The test that a model passed: what ran then would run on the dataset too."""
    if candidate.association is None:
        return work.benchmark.compatibility_test
    record = snapshot.resolve("model-association", candidate.association).record
    if not isinstance(record, ModelAssociation):
        raise UnfaithfulError(f"no association of a model: {candidate.association.id}")
    return record.compatibility_test


def _result(work: Plan, candidate: Candidate, test: CompatibilityTest) -> Record:
    chance = _chance(work.dataset_pin.id, candidate.pin.id)
    cases = work.dataset.cases
    failed, excluded = chance.randrange(3), chance.randrange(cases // 10)
    evaluated = cases - failed - excluded
    execution = test.execution.model_dump(mode="json", exclude_none=True)
    steps = [step for step in execution["steps"] if step["task"] in _RUN]
    for step in steps:
        step["seconds"] = round(5 + 600 * chance.random(), 3)
    execution |= {"registry_commit": work.commit, "finished": _DAY, "steps": steps}
    pins = {
        "benchmark": work.benchmark_pin,
        "dataset": work.dataset_pin,
        "model": candidate.pin,
        "dataset_association": work.association,
        "model_association": candidate.association,
    }
    data: dict[str, Any] = {
        "kind": "result",
        "id": f"{work.benchmark_pin.id}/{work.dataset_pin.id}/{candidate.pin.id}",
        "revision": 1,
        **{name: pin.model_dump() for name, pin in pins.items() if pin is not None},
        "metrics": [_metric(metric.id, evaluated, chance) for metric in work.benchmark.metrics],
        "denominator": {"cases": cases, "evaluated": evaluated}
        | {"failed": failed, "excluded": excluded},
        "execution": execution,
    }
    return build("result", data)


def _metric(name: str, evaluated: int, chance: random.Random) -> dict[str, Any]:
    value, width = 0.55 + 0.4 * chance.random(), 0.02 + 0.01 * chance.random()
    interval = {"low": round(value - width, 4), "high": round(value + width, 4)}
    return {"id": name, "value": round(value, 4), "n": evaluated, **interval}
