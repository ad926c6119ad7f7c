"""Where containers run: artefacts, engine and limits of this site, and the two pipelines.

``prepare`` turns raw data into a dataset, ``measure`` runs a model and the metrics on it. Both
keep a journal, so that a killed run goes on where it stopped. One path for tests and
production.

Example::

    place = Workplace(artefacts, cap=Cap())
    prepared = prepare(place, mlcube, raw_data, raw_labels, folder, case_path="cases")
    measured = measure(place, model, metrics, prepared.folder, folder, benchmark)
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from medperf_git.canonical.digest import fingerprint, sha256_hex
from medperf_git.canonical.document import emit_mapping
from medperf_git.errors import EngineError
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.container import Container, TaskName
from medperf_git.records.execution import Engine as EngineRecord
from medperf_git.records.execution import Step
from medperf_git.records.metric import Denominator, MetricValue
from medperf_git.records.mlcube import MLCube, Model
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.engine import Engine, Job
from medperf_git.runtime.engines import find_engine
from medperf_git.runtime.files import digest_file, digest_tree
from medperf_git.runtime.journal import Journal
from medperf_git.runtime.limits import Cap, combine
from medperf_git.runtime.materials import materialise
from medperf_git.runtime.measurements import read_results, read_statistics

Tell = Callable[[str], None]
"""Called with what begins now, for progress."""

RAW: Final = ("data_path", "labels_path")


@dataclass
class Workplace:
    """What this site runs containers with.

    Attributes:
        artefacts: where images, trees and files come from.
        cap: the most that any task gets.
        engine_name: the engine to use; None picks one.
        allowed: the engines that the site allows.
        tell: called with what begins now.
    """

    artefacts: ArtefactStore
    cap: Cap = field(default_factory=Cap)
    engine_name: str | None = None
    allowed: Sequence[str] = ("docker", "podman", "sandbox")
    tell: Tell = lambda _text: None
    _engine: Engine | None = None

    def choose(self, *containers: Container) -> EngineRecord:
        """Picks one engine for all of these containers, and brings their images here.

        Raises:
            EngineError: none is there that runs them all, or the site does not allow it.
            ArtefactError: an image is missing, or is not what its digest says.
        """
        engine = find_engine(self.engine_name, [c.image for c in containers], self.artefacts)
        if engine.name not in self.allowed:
            raise EngineError(
                f"this site does not allow the engine {engine.name}",
                code="engine-not-allowed",
                advice=f"site.yaml allows {', '.join(self.allowed)}",
            )
        for container in containers:
            engine.provide(container.image)
        self._engine = engine
        return engine.describe()

    def run(
        self,
        container: Container,
        task: TaskName,
        inputs: Mapping[str, Path],
        outputs: Mapping[str, Path],
        folder: Path,
    ) -> Step:
        """Runs one task.

        Args:
            container: whose task.
            task: which.
            inputs: by volume name; those that the task does not have are left out.
            outputs: likewise; what an earlier try left there is removed.
            folder: where its log and its materials go.

        Raises:
            ExecutionError: it failed, or broke its contract.
        """
        if self._engine is None:
            self.choose(container)
        assert self._engine is not None  # noqa: S101 (chosen above)
        definition = container.tasks[task]
        for path in outputs.values():
            _clear(path)
        materials = materialise(container, self.artefacts, folder / f"{task}-materials")
        self.tell(task)
        return self._engine.run(
            Job(
                container=container,
                task=task,
                inputs={n: p for n, p in inputs.items() if n in definition.input_volumes},
                outputs={n: p for n, p in outputs.items() if n in definition.output_volumes},
                parameters_file=materials.parameters_file,
                additional_files=materials.additional_files,
                limits=combine(container.resources, self.cap),
                log=folder / "logs" / f"{task}.log",
            )
        )


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def digests_of(container: Container) -> dict[str, str]:
    """What a stage depends on besides its data: image, parameters, files."""
    return {
        "image": container.image_digest,
        "parameters": sha256_hex(emit_mapping(container.parameters)),
        "files": " ".join(sorted(file.sha256 for file in container.additional_files)),
        "tasks": sha256_hex(repr(sorted(container.model_dump()["tasks"].items())).encode()),
    }


@dataclass(frozen=True)
class Prepared:
    """Prepared data at this site.

    Attributes:
        data: folder of the prepared data.
        labels: folder of the prepared labels.
        statistics: nested mapping of numbers.
        cases: how many cases it has.
        steps: what ran.
    """

    data: Path
    labels: Path
    statistics: dict[str, Any]
    cases: int
    steps: tuple[Step, ...]


def prepare(
    place: Workplace, mlcube: MLCube, data: Path, labels: Path, folder: Path, *, case_path: str
) -> Prepared:
    """Prepares raw data: prepare, sanity check, statistics.

    Args:
        place: where it runs.
        mlcube: the data-preparation MLCube.
        data: folder of raw data.
        labels: folder of raw labels.
        folder: where the prepared data goes.
        case_path: where `statistics.yaml` has the number of cases.

    Raises:
        ExecutionError: a task failed, or the statistics are not numbers.
        ArtefactError: something in the raw data is no plain file.
    """
    place.choose(mlcube)
    place.tell("fingerprint of the raw data")
    inputs = {
        "data": fingerprint(digest_tree(data)),
        "labels": fingerprint(digest_tree(labels)),
        **digests_of(mlcube),
    }
    out = {name: folder / name for name in ("data", "labels", "metadata")}
    statistics = folder / "statistics.yaml"
    prepared = {"data_path": out["data"], "labels_path": out["labels"]}
    metadata = {"metadata_path": out["metadata"]}
    stages: tuple[tuple[TaskName, dict[str, Path], dict[str, Path]], ...] = (
        (
            "prepare",
            {"data_path": data, "labels_path": labels},
            {
                "output_path": out["data"],
                "output_labels_path": out["labels"],
                "report_file": folder / "report.yaml",
                **metadata,
            },
        ),
        ("sanity_check", prepared | metadata, {}),
        ("statistics", prepared | metadata, {"output_path": statistics}),
    )
    steps: list[Step] = []
    fresh = False
    with Journal(folder) as journal:
        for task, task_inputs, outputs in stages:
            done = journal.finished(task, inputs)
            if fresh or done is None or done.get("outputs") != digest_outputs(outputs):
                step = place.run(mlcube, task, task_inputs, outputs, folder)
                done = {
                    "step": step.model_dump(mode="json", exclude_none=True),
                    "outputs": digest_outputs(outputs),
                }
                journal.record(task, inputs, done)
                fresh = True
            steps.append(_step(done["step"]))
    numbers, cases = read_statistics(statistics, case_path)
    return Prepared(out["data"], out["labels"], numbers, cases, tuple(steps))


def digest_outputs(outputs: Mapping[str, Path]) -> dict[str, str]:
    """What a stage left, by volume: a stage whose outputs are not what it wrote runs again.

    Raises:
        ArtefactError: something in them is no plain file.
    """
    found = {}
    for name, path in outputs.items():
        if path.is_dir():
            found[name] = fingerprint(digest_tree(path))
        elif path.exists():
            found[name] = digest_file(path)
    return found


def _step(data: Mapping[str, Any]) -> Step:
    # The journal holds JSON: lists stand where the model has tuples.
    return Step.model_validate(data, strict=False)


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
    data, labels = prepared
    predictions, results = folder / "predictions", folder / "results.yaml"
    infer_inputs = {**data_digests, **digests_of(model)}
    evaluate_inputs = {
        **infer_inputs,
        **{f"metrics_{k}": v for k, v in digests_of(metrics).items()},
    }
    stages: tuple[tuple[TaskName, Container, dict[str, str], dict[str, Path], dict[str, Path]], ...]
    stages = (
        ("infer", model, infer_inputs, {"data_path": data}, {"output_path": predictions}),
        (
            "evaluate",
            metrics,
            evaluate_inputs,
            {"predictions": predictions, "labels": labels},
            {"output_path": results, "local_outputs_path": folder / "local_outputs"},
        ),
    )
    engine = place.choose(model, metrics)
    steps: list[Step] = []
    fresh = False
    ran_by = engine
    with Journal(folder) as journal:
        for task, container, key, task_inputs, outputs in stages:
            done = journal.finished(task, key)
            if fresh or done is None or done.get("outputs") != digest_outputs(outputs):
                step = place.run(container, task, task_inputs, outputs, folder)
                done = {
                    "step": step.model_dump(mode="json", exclude_none=True),
                    "outputs": digest_outputs(outputs),
                    "engine": engine.model_dump(mode="json"),
                }
                journal.record(task, key, done)
                fresh = True
            steps.append(_step(done["step"]))
            # What ran it then, which need not be what is here now.
            ran_by = EngineRecord.model_validate(done["engine"])
        values, denominator = read_results(results, benchmark, check_minimum=check_minimum)
    return Measured(values, denominator, tuple(steps), ran_by, fresh)
