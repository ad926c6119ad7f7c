"""Measuring: a model runs on prepared data, and the benchmark's metrics on what it predicted.

Example::

    measured = measure(place, model, metrics, (data, labels), folder, benchmark,
                       data_digests={"data": digest})
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medperf_git.records.benchmark import Benchmark
from medperf_git.records.execution import Engine as EngineRecord
from medperf_git.records.execution import Step
from medperf_git.records.metric import Denominator, MetricValue
from medperf_git.records.mlcube import MLCube, Model
from medperf_git.runtime.measurements import read_results
from medperf_git.workflows.stages import Stage, digests_of, run_stages
from medperf_git.workflows.workplace import Workplace


@dataclass(frozen=True)
class Measured:
    """What a model achieved.

    Attributes:
        metrics: the declared metrics.
        denominator: what became of every case.
        steps: what ran.
        engine: what ran it.
        fresh: whether anything ran now (False: all of it was finished before).
    """

    metrics: tuple[MetricValue, ...]
    denominator: Denominator
    steps: tuple[Step, ...]
    engine: EngineRecord
    fresh: bool


def measure(
    place: Workplace,
    model: Model,
    metrics: MLCube,
    prepared: tuple[Path, Path],
    folder: Path,
    benchmark: Benchmark,
    *,
    data_digests: Mapping[str, str],
    check_minimum: bool = True,
) -> Measured:
    """Runs a model, which never sees labels, and then the metrics.

    Args:
        place: where it runs.
        model: the model.
        metrics: the benchmark's metrics MLCube.
        prepared: folders of the prepared data and labels.
        folder: the execution's folder.
        benchmark: declares what may be read from `results.yaml`.
        data_digests: what names the data, for the journal.
        check_minimum: whether too few cases are an error.

    Raises:
        ExecutionError: a task failed, or the results are not what was declared.
    """
    stages = stages_of(model, metrics, prepared, folder, data_digests)
    ran = run_stages(place, place.choose(model, metrics), folder, stages)
    values, denominator = read_results(
        folder / "results.yaml", benchmark, check_minimum=check_minimum
    )
    return Measured(values, denominator, ran.steps, ran.engine, ran.fresh)


def stages_of(
    model: Model,
    metrics: MLCube,
    prepared: tuple[Path, Path],
    folder: Path,
    data_digests: Mapping[str, str],
) -> tuple[Stage, Stage]:
    """The two tasks of an execution; the first never sees the labels."""
    data, labels = prepared
    predictions = folder / "predictions"
    key = {**data_digests, **digests_of(model)}
    metrics_key = {f"metrics_{name}": digest for name, digest in digests_of(metrics).items()}
    return (
        Stage("infer", model, key, {"data_path": data}, {"output_path": predictions}),
        Stage(
            "evaluate",
            metrics,
            {**key, **metrics_key},
            {"predictions": predictions, "labels": labels},
            {
                "output_path": folder / "results.yaml",
                "local_outputs_path": folder / "local_outputs",
            },
        ),
    )
