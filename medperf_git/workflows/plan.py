"""Plans: what a run of a benchmark's models on a dataset comes to, or why it can't be.

Everything is looked up in the registry as it was last checked, so planning needs no network.
Runs nothing.

Example::

    work = plan(session, "anna/preterm", "ky/opt", [])
    [candidate.pin.id for candidate in work.candidates]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medperf_git.errors import InputError
from medperf_git.records.association import DatasetAssociation, ModelAssociation
from medperf_git.records.base import Pin
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.dataset import Dataset
from medperf_git.records.mlcube import MLCube, Model
from medperf_git.store.paths import Place, kind_folder
from medperf_git.store.site_rules import SiteRules
from medperf_git.store.snapshot import Snapshot
from medperf_git.workflows.drafts import standing_pin
from medperf_git.workflows.session import Session


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


def execution_folder(session: Session, work: Plan, model: Pin) -> Path:
    """The folder of one execution."""
    return session.home.execution(
        session.entry.name, work.benchmark_pin.sha256, work.dataset_pin.sha256, model.sha256
    )
