"""The compatibility test: a whole benchmark on its demo data, before anything is asked for.

Runs prepare, sanity check, statistics, infer and evaluate exactly as production does, with
any mix of parts from drafts and from the registry.

Example::

    test = run_test(place, parts, folder, commit=session.main)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medperf_git.canonical.digest import fingerprint
from medperf_git.errors import MpgitError
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.codec import build
from medperf_git.records.execution import Client, CompatibilityTest, Execution, Step
from medperf_git.records.execution import Engine as EngineRecord
from medperf_git.records.mlcube import MLCube, Model
from medperf_git.runtime.files import digest_tree
from medperf_git.store.snapshot import Snapshot
from medperf_git.version import __version__
from medperf_git.workflows.measure import measure
from medperf_git.workflows.prepare import prepare
from medperf_git.workflows.propose import clear_scratch
from medperf_git.workflows.workplace import Workplace


@dataclass(frozen=True)
class Parts:
    """What a compatibility test needs.

    Attributes:
        benchmark: declares metrics and demo data.
        preparation: the data-preparation MLCube.
        metrics: the metrics MLCube.
        model: the model that is tested.
    """

    benchmark: Benchmark
    preparation: MLCube
    metrics: MLCube
    model: Model


def execution_record(
    steps: tuple[Step, ...], engine: EngineRecord, commit: str | None
) -> Execution:
    """How an execution was done, as a record says it."""
    return Execution(
        client=Client(name="mpgit", version=__version__),
        engine=engine,
        registry_commit=commit,
        finished=datetime.now(UTC).strftime("%Y-%m-%d"),
        steps=steps,
    )


def run_test(
    place: Workplace, parts: Parts, folder: Path, *, commit: str | None, demo: Path | None = None
) -> CompatibilityTest:
    """Runs the whole benchmark on its demo data.

    Args:
        place: where it runs.
        parts: what runs.
        folder: a scratch folder; it is emptied before and after.
        commit: the registry's commit that the parts come from, if they do.
        demo: a local folder instead of the benchmark's pinned demo data.

    Raises:
        ExecutionError: a task failed, or the results are not what was declared.
        ArtefactError: an image or the demo data is missing.
    """
    clear_scratch(folder)
    place.tell("demo data")
    raw = demo or place.artefacts.tree(parts.benchmark.demo_data)
    digest = fingerprint(digest_tree(raw)) if demo else parts.benchmark.demo_data.sha256
    paths = parts.benchmark.case_paths
    try:
        prepared = prepare(
            place, parts.preparation, raw, raw, folder / "dataset", case_path=paths.statistics
        )
        measured = measure(
            place,
            parts.model,
            parts.metrics,
            (prepared.data, prepared.labels),
            folder / "execution",
            parts.benchmark,
            data_digests={"demo": digest},
            check_minimum=False,
        )
    except MpgitError as error:
        # The log stays for whoever must mend it.
        error.place = f"compatibility test, {error.place}" if error.place else "compatibility test"
        raise
    clear_scratch(folder)
    return CompatibilityTest(
        demo_data=digest,
        model=parts.model.image_digest,
        metrics=measured.metrics,
        denominator=measured.denominator,
        execution=execution_record(prepared.steps + measured.steps, measured.engine, commit),
    )


def registered_parts(snapshot: Snapshot, benchmark: Benchmark, model: Model) -> Parts:
    """The parts of a benchmark whose records are in the registry.

    Raises:
        RegistryError: a pinned record is missing.
    """
    preparation = snapshot.resolve("mlcube", benchmark.data_preparation).record
    metrics = snapshot.resolve("mlcube", benchmark.evaluation_metrics).record
    assert isinstance(preparation, MLCube) and isinstance(metrics, MLCube)  # noqa: S101, PT018
    return Parts(benchmark, preparation, metrics, model)


def untested(data: Mapping[str, Any]) -> Benchmark:
    """A benchmark's draft as a record, with a stand-in where the test's outcome will stand.

    The stand-in never leaves this process: submitting replaces it with the real outcome.

    Raises:
        RecordError: the draft is no benchmark otherwise.
    """
    demo = data.get("demo_data")
    digest = demo.get("sha256", "0" * 64) if isinstance(demo, dict) else "0" * 64
    limit = {"value": 1.0, "enforced_by": "none"}
    isolation = {
        "network": "none",
        "capabilities": "none",
        "new_privileges": False,
        "root": "read-only",
        "inputs": "read-only",
        "user": "0:0",
        **dict.fromkeys(("memory_mb", "processes", "cpus", "seconds", "output_mb"), limit),
    }
    step = {
        "task": "infer",
        "image_type": "source",
        "image": "0" * 64,
        "isolation": isolation,
        "seconds": 0.0,
    }
    stand_in: dict[str, Any] = {
        "demo_data": digest,
        "model": "0" * 64,
        "metrics": [],
        "denominator": {"cases": 0, "evaluated": 0, "failed": 0, "excluded": 0},
        "execution": {
            "client": {"name": "mpgit", "version": __version__},
            "engine": {"name": "sandbox", "version": "none"},
            "finished": "1970-01-01",
            "steps": [step],
        },
    }
    record = build("benchmark", {**data, "compatibility_test": stand_in})
    assert isinstance(record, Benchmark)  # noqa: S101 (built as one)
    return record
