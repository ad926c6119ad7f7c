"""Stages: tasks one after another, each of which is run once for the same inputs.

A journal in the folder says what was finished, for which inputs and with which outputs; a killed
run goes on where it stopped, and a stage whose inputs or outputs are others runs again, with all
that follow. Which stages there are, ``prepare`` and ``measure`` know.

Example::

    ran = run_stages(place, engine, folder, [Stage("infer", model, key, inputs, outputs)])
    ran.steps, ran.fresh
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.canonical.digest import sha256_hex
from medperf_git.canonical.document import emit_mapping
from medperf_git.records.container import Container, TaskName
from medperf_git.records.execution import Engine as EngineRecord
from medperf_git.records.execution import Step
from medperf_git.runtime.confirm import confirm_tree, fingerprint_tree
from medperf_git.runtime.engine import Engine
from medperf_git.runtime.files import digest_file
from medperf_git.runtime.journal import Journal
from medperf_git.workflows.workplace import Workplace


@dataclass(frozen=True)
class Stage:
    """One task of a pipeline.

    Attributes:
        task: which.
        container: whose.
        key: what it depends on, by name.
        inputs: folders and files by volume.
        outputs: likewise.
    """

    task: TaskName
    container: Container
    key: Mapping[str, str]
    inputs: Mapping[str, Path]
    outputs: Mapping[str, Path]


@dataclass(frozen=True)
class Ran:
    """What stages came to.

    Attributes:
        steps: what ran, now or before.
        engine: what ran the last of them, which need not be what is here now.
        fresh: whether anything ran now.
    """

    steps: tuple[Step, ...]
    engine: EngineRecord
    fresh: bool


def run_stages(place: Workplace, engine: Engine, folder: Path, stages: Sequence[Stage]) -> Ran:
    """Runs what is not finished.

    Args:
        place: where it runs.
        engine: what runs it.
        folder: where journal and logs stand; no other process works in it meanwhile.
        stages: in their order.

    Raises:
        ExecutionError: a task failed, or was stopped.
        InputError: `locked`: another process works in the folder.
    """
    steps: list[Step] = []
    fresh, ran_by = False, engine.describe()
    with Journal(folder) as journal:
        for stage in stages:
            done = None if fresh else _finished(journal, stage, place)
            if done is None:
                step = place.run(
                    engine, stage.container, stage.task, stage.inputs, stage.outputs, folder
                )
                done = {
                    "step": step.model_dump(mode="json", exclude_none=True),
                    "outputs": digest_outputs(stage.outputs),
                    "engine": engine.describe().model_dump(mode="json"),
                }
                journal.record(stage.task, stage.key, done)
                fresh = True
            steps.append(_step(done["step"]))
            ran_by = EngineRecord.model_validate(done["engine"])
    return Ran(tuple(steps), ran_by, fresh)


def _finished(journal: Journal, stage: Stage, place: Workplace) -> dict[str, Any] | None:
    done = journal.finished(stage.task, stage.key)
    if done is None or "engine" not in done:
        return None
    if _step(done["step"]).exit_code is not None and not place.keep_partial:
        return None
    now = digest_outputs(stage.outputs, confirm=not place.thorough)
    return done if done.get("outputs") == now else None


def is_finished(folder: Path, stage: Stage) -> bool:
    """Whether a stage seems to be finished, without a look at its outputs: for a forecast."""
    return Journal(folder).finished(stage.task, stage.key) is not None


def _step(data: Mapping[str, Any]) -> Step:
    # The journal holds JSON: lists stand where the model has tuples.
    return Step.model_validate(data, strict=False)


def digest_outputs(outputs: Mapping[str, Path], *, confirm: bool = False) -> dict[str, str]:
    """What a stage left, by volume: a stage whose outputs are not what it wrote runs again.

    Args:
        outputs: folders and files.
        confirm: whether files are left unread that did not change since they were last read.

    Raises:
        ArtefactError: something in them is no plain file.
    """
    found = {}
    for name, path in outputs.items():
        if path.is_dir():
            found[name] = (confirm_tree if confirm else fingerprint_tree)(path).sha256
        elif path.exists():
            found[name] = digest_file(path)
    return found


def digests_of(container: Container) -> dict[str, str]:
    """What a stage depends on besides its data: image, parameters, files."""
    return {
        "image": container.image_digest,
        "parameters": sha256_hex(emit_mapping(container.parameters)),
        "files": " ".join(sorted(file.sha256 for file in container.additional_files)),
        "tasks": sha256_hex(repr(sorted(container.model_dump()["tasks"].items())).encode()),
    }
