"""Associations: ask a benchmark to use a model or a dataset, from either side.

The owner and the committee both sign; whoever asks first opens the request. A model is tested
on the benchmark's demo data before anything is signed.

Example:
    >>> association_id("anna/preterm", "ky/opt")
    'anna/preterm/ky/opt'
"""

from __future__ import annotations

from medperf_git.records.association import DatasetAssociation, ModelAssociation
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.mlcube import Model
from medperf_git.store.snapshot import Snapshot
from medperf_git.workflows.compatibility import registered_parts
from medperf_git.workflows.drafts import standing_pin
from medperf_git.workflows.propose import next_revision
from medperf_git.workflows.session import Session
from medperf_git.workflows.submit import Tester


def association_id(benchmark: str, part: str) -> str:
    """An association's id: both ids, the benchmark's first."""
    return f"{benchmark}/{part}"


def model_association(
    session: Session, benchmark: str, model: str, test: Tester
) -> ModelAssociation:
    """A tested association of a model.

    Raises:
        InputError: the benchmark or the model does not stand.
        ExecutionError: the compatibility test failed.
    """
    snapshot = session.snapshot()
    benchmark_pin = standing_pin(snapshot, "benchmark", benchmark)
    model_pin = standing_pin(snapshot, "model", model)
    science = snapshot.resolve("benchmark", benchmark_pin).record
    tested = snapshot.resolve("model", model_pin).record
    assert isinstance(science, Benchmark) and isinstance(tested, Model)  # noqa: S101, PT018
    outcome = test(registered_parts(snapshot, science, tested))
    record_id = association_id(benchmark, model)
    return ModelAssociation(
        kind="model-association",
        id=record_id,
        revision=next_revision(snapshot, "model-association", record_id),
        benchmark=benchmark_pin,
        model=model_pin,
        compatibility_test=outcome,
    )


def dataset_association(snapshot: Snapshot, benchmark: str, dataset: str) -> DatasetAssociation:
    """An association of a dataset.

    Raises:
        InputError: the benchmark or the dataset does not stand.
    """
    record_id = association_id(benchmark, dataset)
    return DatasetAssociation(
        kind="dataset-association",
        id=record_id,
        revision=next_revision(snapshot, "dataset-association", record_id),
        benchmark=standing_pin(snapshot, "benchmark", benchmark),
        dataset=standing_pin(snapshot, "dataset", dataset),
    )
