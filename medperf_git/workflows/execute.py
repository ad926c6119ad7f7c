"""Executions: run a benchmark's models on a dataset, on the data owner's machine.

Everything is looked up in the registry as it was last checked, so running needs no network.
A run of many models goes on past one that fails. What was measured stays here until
``results`` makes signed records of it.

Example:
    >>> Outcome("anna/rule", None, None, False).state
    'finished'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.errors import ExecutionError, InputError, MpgitError
from medperf_git.records.association import DatasetAssociation, ModelAssociation
from medperf_git.records.base import Pin
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.dataset import Dataset
from medperf_git.records.execution import Execution
from medperf_git.records.metric import Denominator, MetricValue
from medperf_git.records.mlcube import MLCube, Model
from medperf_git.records.result import Result
from medperf_git.store.home import read_json, write_json
from medperf_git.store.paths import Place, kind_folder
from medperf_git.store.site_rules import SiteRules
from medperf_git.store.snapshot import Snapshot
from medperf_git.workflows.compatibility import execution_record
from medperf_git.workflows.datasets import LocalDataset, one_at_a_time, refuse_changed
from medperf_git.workflows.drafts import standing_pin
from medperf_git.workflows.session import Session
from medperf_git.workflows.workplace import Workplace, measure


@dataclass(frozen=True)
class Candidate:
    """A model that may be run, and the association that allows it (none: reference model)."""

    pin: Pin
    model: Model
    association: Pin | None


@dataclass(frozen=True)
class Plan:
    """A run, resolved against the registry.

    Attributes:
        benchmark: the benchmark and its pin.
        dataset: the registered dataset's pin.
        association: the dataset's association.
        metrics: the metrics MLCube.
        candidates: the models, by the committee's priority.
        commit: the registry's commit that all this was read from.
    """

    benchmark: Benchmark
    benchmark_pin: Pin
    dataset: Dataset
    dataset_pin: Pin
    association: Pin
    metrics: MLCube
    candidates: tuple[Candidate, ...]
    commit: str


@dataclass(frozen=True)
class Outcome:
    """What became of one model."""

    model: str
    error: MpgitError | None
    result: dict[str, Any] | None
    fresh: bool

    @property
    def state(self) -> str:
        """`finished` or `failed`."""
        return "failed" if self.error else "finished"


def plan(session: Session, benchmark: str, dataset: str, models: Sequence[str]) -> Plan:
    """What a run comes to, or why it can't be.

    Args:
        session: the registry.
        benchmark: its id.
        dataset: its id.
        models: model ids; empty for every associated one.

    Raises:
        InputError: something is not registered, not associated, withdrawn or superseded, or
            the benchmark is closed.
    """
    snapshot = session.snapshot()
    rules = session.site_rules()
    benchmark_pin = standing_pin(snapshot, "benchmark", benchmark)
    science = snapshot.resolve("benchmark", benchmark_pin).record
    assert isinstance(science, Benchmark)  # noqa: S101 (the path's kind)
    _refuse_closed(snapshot, benchmark, rules)
    dataset_pin = standing_pin(snapshot, "dataset", dataset)
    described = snapshot.resolve("dataset", dataset_pin).record
    assert isinstance(described, Dataset)  # noqa: S101 (the path's kind)
    association = _dataset_association(snapshot, benchmark_pin, dataset_pin)
    metrics = snapshot.resolve("mlcube", science.evaluation_metrics).record
    assert isinstance(metrics, MLCube)  # noqa: S101 (the path's kind)
    known = {c.pin.id: c for c in candidates(snapshot, benchmark_pin, science)}
    unknown = [name for name in models if name not in known]
    if unknown:
        raise _not_associated(snapshot, "model", unknown[0], benchmark)
    chosen = [c for name, c in known.items() if not models or name in models]
    return Plan(
        science, benchmark_pin, described, dataset_pin, association, metrics,
        tuple(chosen), session.main,
    )  # fmt: skip


def _refuse_closed(snapshot: Snapshot, benchmark: str, rules: SiteRules) -> None:
    if not rules.admits_benchmark(benchmark):
        raise InputError(
            f"this site's rules do not admit the benchmark {benchmark}",
            code="site-refuses",
            place="site.yaml",
            advice="site.yaml, `benchmarks`, lists what may run here",
        )
    policy = snapshot.policy(benchmark)
    if policy is None or not policy.open:
        raise InputError(
            f"the benchmark {benchmark} " + ("is closed" if policy else "has no policy yet"),
            code="benchmark-closed",
            advice="its committee opens it: mpgit benchmark policy",
        )


def _not_associated(snapshot: Snapshot, kind: str, part: str, benchmark: str) -> InputError:
    record_id = f"{benchmark}/{part}"
    newest = snapshot.newest(f"{kind}-association", record_id)
    if newest is None:
        why = "is not associated with"
    elif snapshot.is_withdrawn(newest):
        why = "is no longer associated (withdrawn) with"
    else:
        why = "changed since it was associated with"
    return InputError(
        f"the {kind} {part} {why} {benchmark}",
        code="not-associated",
        place=record_id,
        advice=f"mpgit {kind} associate {part} -b {benchmark}",
    )


def _dataset_association(snapshot: Snapshot, benchmark: Pin, dataset: Pin) -> Pin:
    place = snapshot.standing("dataset-association", f"{benchmark.id}/{dataset.id}")
    if place is not None:
        loaded = snapshot.load(place)
        record = loaded.record
        assert isinstance(record, DatasetAssociation)  # noqa: S101 (the path's kind)
        if (record.benchmark, record.dataset) == (benchmark, dataset):
            return loaded.pin
    raise _not_associated(snapshot, "dataset", dataset.id, benchmark.id)


def candidates(snapshot: Snapshot, benchmark: Pin, science: Benchmark) -> Iterator[Candidate]:
    """The models that may run under a benchmark: by the policy's priorities, then by id."""
    found = {}
    reference = snapshot.resolve("model", science.reference_model).record
    assert isinstance(reference, Model)  # noqa: S101 (the path's kind)
    found[reference.id] = Candidate(science.reference_model, reference, None)
    below = f"{kind_folder('benchmark')}/{benchmark.id}/models"
    for place in snapshot.standing_places("model-association", below):
        loaded = snapshot.load(place)
        record = loaded.record
        assert isinstance(record, ModelAssociation)  # noqa: S101 (the path's kind)
        standing = snapshot.standing("model", record.model.id)
        current = Place("model", record.model.id, record.model.revision)
        if record.benchmark != benchmark or standing != current:
            continue
        model = snapshot.resolve("model", record.model).record
        assert isinstance(model, Model)  # noqa: S101 (the path's kind)
        found[model.id] = Candidate(record.model, model, loaded.pin)
    policy = snapshot.policy(benchmark.id)
    first = list(policy.priorities) if policy else []
    order = [name for name in first if name in found]
    yield from (found[name] for name in order + sorted(set(found) - set(order)))


def run(
    session: Session,
    place: Workplace,
    work: Plan,
    local: LocalDataset,
    begin: Callable[[str, int, int], None] = lambda _model, _at, _all: None,
) -> list[Outcome]:
    """Runs every model of a plan, going on past those that fail.

    Args:
        session: the registry.
        place: where it runs.
        work: what to run.
        local: the prepared dataset.
        begin: called before each model with its id, its number and how many there are.

    Raises:
        ExecutionError: the dataset changed since it was registered; or interrupted.
    """
    outcomes = []
    with one_at_a_time(local.folder):
        refuse_changed(local, work.dataset.fingerprint.model_dump())
        for number, candidate in enumerate(work.candidates, start=1):
            begin(candidate.pin.id, number, len(work.candidates))
            try:
                outcomes.append(_run_one(session, place, work, local, candidate))
            except MpgitError as error:
                if error.code == "interrupted":
                    raise
                outcomes.append(Outcome(candidate.pin.id, error, None, fresh=True))
    return outcomes


def _run_one(
    session: Session, place: Workplace, work: Plan, local: LocalDataset, candidate: Candidate
) -> Outcome:
    rules = session.site_rules()
    if not rules.admits_model(candidate.pin.id):
        raise ExecutionError(
            f"this site's rules do not admit the model {candidate.pin.id}",
            code="site-refuses",
            place=str(session.home.site_file),
            advice="site.yaml, `models`, lists what may run here",
        )
    folder = execution_folder(session, work, candidate.pin)
    measured = measure(
        place,
        candidate.model,
        work.metrics,
        (local.data, local.labels),
        folder,
        work.benchmark,
        data_digests={
            "data": work.dataset.fingerprint.data,
            "labels": work.dataset.fingerprint.labels,
        },
    )
    _refuse_cases(measured.denominator, work, rules, folder)
    kept = read_json(folder / "execution.json")
    if kept is None or measured.fresh or _outdated(kept, work, candidate):
        kept = _kept(
            work,
            candidate,
            measured.metrics,
            measured.denominator,
            execution_record(measured.steps, measured.engine, work.commit),
        )
        write_json(folder / "execution.json", kept)
    return Outcome(candidate.pin.id, None, kept, fresh=measured.fresh)


def _outdated(kept: dict[str, Any], work: Plan, candidate: Candidate) -> bool:
    """Whether it names associations that were withdrawn and granted anew since."""
    now = {
        "dataset_association": work.association.model_dump(),
        "model_association": candidate.association and candidate.association.model_dump(),
    }
    return any(kept.get(name) != pin for name, pin in now.items())


def _refuse_cases(denominator: Denominator, work: Plan, rules: SiteRules, folder: Path) -> None:
    if denominator.cases != work.dataset.cases:
        raise ExecutionError(
            f"the metrics account for {denominator.cases} cases, the dataset has "
            f"{work.dataset.cases}",
            code="cases-differ",
            place=f"{folder / 'results.yaml'}: {work.benchmark.case_paths.cases}",
            advice="tell the benchmark's committee: its metrics MLCube loses cases",
        )
    if denominator.evaluated < rules.minimum_cases:
        raise ExecutionError(
            f"{denominator.evaluated} cases; this site lets out nothing below "
            f"{rules.minimum_cases}",
            code="too-few-cases",
            place="site.yaml, minimum_cases",
            advice="gather more cases; nothing of this model is kept for submitting",
        )
    small = list(rules.small_cells({"denominator": denominator.model_dump()}))
    if small:
        raise ExecutionError(
            f"numbers below {rules.smallest_cell} may not leave this site: {', '.join(small)}",
            code="small-cell",
            place="site.yaml, smallest_cell",
            advice="prepare a dataset without those cases, or ask whoever keeps site.yaml",
        )


def execution_folder(session: Session, work: Plan, model: Pin) -> Path:
    """The folder of one execution."""
    return session.home.execution(
        session.entry.name, work.benchmark_pin.sha256, work.dataset_pin.sha256, model.sha256
    )


def _kept(
    work: Plan,
    candidate: Candidate,
    metrics: tuple[MetricValue, ...],
    denominator: Denominator,
    execution: Execution,
) -> dict[str, Any]:
    """The result record's data, but for its revision, which submitting gives it."""
    record = Result(
        kind="result",
        id=f"{work.benchmark_pin.id}/{work.dataset_pin.id}/{candidate.pin.id}",
        revision=1,
        benchmark=work.benchmark_pin,
        dataset=work.dataset_pin,
        model=candidate.pin,
        dataset_association=work.association,
        model_association=candidate.association,
        metrics=metrics,
        denominator=denominator,
        execution=execution,
    )
    return record.model_dump(mode="json", exclude_none=True)
