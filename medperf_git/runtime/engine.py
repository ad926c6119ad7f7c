"""What every container engine offers, and the checks that all of them share.

A `Job` is one task with its folders; an engine runs it and returns the `Step` that says what
isolation was really in force. There is one way to run a task: tests and production take it.
Does not run anything itself (``docker_engine`` and ``sandbox_engine`` do).

Example::

    engine = find_engine(None, [model.image], artefacts)
    step = engine.run(Job(container=model, task="infer", inputs={"data_path": data},
                          outputs={"output_path": predictions}, limits=limits, log=log))
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from medperf_git.errors import ExecutionError
from medperf_git.records.container import CONTRACT, Container, Image, Task, TaskName, Volume
from medperf_git.records.execution import Engine as EngineRecord
from medperf_git.records.execution import Limit, Step
from medperf_git.runtime.files import digest_file
from medperf_git.runtime.interrupt import Interrupted
from medperf_git.runtime.limits import Limits

_SUPPLIED: Final = ("parameters_file", "additional_files")
_KERNEL_FOLDERS: Final = frozenset({"proc", "sys", "dev"})
NAME: Final = "mpgit"
"""What a container calls itself and its user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One task to run."""

    container: Container
    """The record, which says what runs and where volumes are mounted."""
    task: TaskName
    """Which of its tasks."""
    inputs: Mapping[str, Path]
    """Existing folders or files, by the contract's volume names."""
    outputs: Mapping[str, Path]
    """Empty or missing folders, or paths of files to be, by the contract's volume names."""
    limits: Limits
    """What it gets."""
    log: Path
    """Base path of its log, such as `logs/infer`; see ``tasklog``; stays at the site."""
    parameters_file: Path | None = None
    """From `materialise`; needed where the task has the volume."""
    additional_files: Path | None = None
    """From `materialise`; needed where the task has the volume."""
    gpus: tuple[str, ...] = ()
    """Graphics processors that are this task's own, by the numbers that the engine knows."""
    keep_partial: bool = False
    """Whether outputs are kept where the task fails: it may have failed on some cases only."""
    stop: Interrupted | None = None
    """Tells that everything shall stop; without it the engine listens to signals itself."""

    @property
    def definition(self) -> Task:
        """The task's command and volumes."""
        return self.container.tasks[self.task]

    def sources(self) -> dict[str, Path]:
        """All that the task reads, by volume name: inputs, parameters, additional files."""
        found = dict(self.inputs)
        for name in _SUPPLIED:
            path = getattr(self, name)
            if name in self.definition.input_volumes and path is not None:
                found[name] = path
        return found


class Engine(Protocol):
    """A container engine."""

    @property
    def name(self) -> str:
        """`docker`, `podman` or `sandbox`."""
        ...

    def describe(self) -> EngineRecord:
        """The engine and its version, for the record of an execution."""
        ...

    def admits(self, image: Image) -> bool:
        """Whether it can run this type of image."""
        ...

    def provide(self, image: Image) -> None:
        """Bring an image here and verify it, so that running it needs no network.

        Raises:
            ArtefactError: it is not to be had, or has another digest.
            EngineError: the engine does not admit it.
        """
        ...

    def run(self, job: Job) -> Step:
        """Run a task to its end, under all of the job's limits.

        Returns:
            What ran, and under which isolation.

        Raises:
            ArtefactError: the image is not to be had, or has another digest.
            ExecutionError: `bad-job`, `task-failed`, `time-limit`, `memory-limit`,
                `process-limit`, `output-limit`, `disk-full`, `hostile-output`, `no-output` or
                `interrupted`; the outputs are empty then.
        """
        ...


def refuse_job(job: Job) -> None:
    """Raise unless the job has exactly its task's volumes and they are ready.

    Raises:
        ExecutionError: `bad-job`, naming the volume.
    """
    if job.task not in job.container.tasks:
        raise _bad(f"the container has no task {job.task}", job.task)
    task, contract = job.definition, CONTRACT[job.task]
    # Held against the contract once more: whatever record came here, `infer` gets no labels.
    _refuse_names(task.input_volumes, contract.required_inputs | contract.optional_inputs, job.task)
    _refuse_names(
        task.output_volumes, contract.required_outputs | contract.optional_outputs, job.task
    )
    _refuse_difference("inputs", set(job.sources()), set(task.input_volumes), job.task)
    _refuse_difference("outputs", set(job.outputs), set(task.output_volumes), job.task)
    for name, volume in {**task.input_volumes, **task.output_volumes}.items():
        if volume.mount_path.split("/")[1] in _KERNEL_FOLDERS:
            raise _bad(f"{volume.mount_path} belongs to the kernel", f"{job.task}.{name}")
    for name, path in job.sources().items():
        _refuse_input(path, task.input_volumes[name], f"{job.task}.{name}")
    _refuse_overlap(job)


def _refuse_names(volumes: Mapping[str, Volume], allowed: frozenset[str], task: str) -> None:
    if unknown := sorted(set(volumes) - allowed):
        raise _bad(f"{', '.join(unknown)} is not in the contract of {task}", task)


def _refuse_difference(what: str, found: set[str], wanted: set[str], task: str) -> None:
    if missing := sorted(wanted - found):
        raise _bad(f"{what}: {', '.join(missing)} missing", task)
    if extra := sorted(found - wanted):
        raise _bad(f"{what}: the task has no volume {', '.join(extra)}", task)


def _refuse_input(path: Path, volume: Volume, place: str) -> None:
    fits = path.is_dir() if volume.type == "directory" else path.is_file()
    if not fits:
        raise _bad(f"no {volume.type} at {path}", place)


def _refuse_overlap(job: Job) -> None:
    """Outputs may not lie in inputs or in each other, nor inputs in outputs."""
    inputs = [path.resolve() for path in job.sources().values()]
    outputs = {name: path.resolve() for name, path in job.outputs.items()}
    for name, path in outputs.items():
        others = inputs + [other for key, other in outputs.items() if key != name]
        for other in others:
            if path == other or path in other.parents or other in path.parents:
                raise _bad(f"{path} and {other} overlap", f"{job.task}.{name}")


def _bad(message: str, place: str) -> ExecutionError:
    return ExecutionError(message, code="bad-job", place=place)


def caller() -> str:
    """`uid:gid` of this process, which every task runs as."""
    return f"{os.getuid()}:{os.getgid()}"


def environment(limits: Limits) -> dict[str, str]:
    """The variables that a task gets on every engine, besides its image's own."""
    threads = str(limits.cpus)
    return {
        "HOME": "/tmp",  # noqa: S108 (the container's own)
        "USER": NAME,
        "PYTHONDONTWRITEBYTECODE": "1",
        # Numerical libraries start a thread for each processor that they see, not that they get.
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
    }


def usable_cpus(limits: Limits) -> int:
    """Processors that the task gets: never more than there are."""
    return min(limits.cpus, os.cpu_count() or 1)


def limit(value: float, enforced_by: str) -> Limit:
    """A `Limit` from loosely typed parts; the model judges them."""
    return Limit.model_validate({"value": float(value), "enforced_by": enforced_by})


def parts_of_step(job: Job) -> dict[str, object]:
    """The fields of a `Step` that do not depend on the engine."""
    volumes = job.definition.input_volumes
    parameters = job.parameters_file if "parameters_file" in volumes else None
    files = job.container.additional_files if "additional_files" in volumes else ()
    return {
        "task": job.task,
        "image_type": job.container.image.type,
        "image": job.container.image_digest,
        "parameters": None if parameters is None else digest_file(parameters),
        "additional_files": tuple(file.sha256 for file in files),
    }
