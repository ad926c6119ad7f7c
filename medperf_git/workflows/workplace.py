"""Where containers run: artefacts, engine, limits and slots of this site.

One path for tests and production. May be used by many threads: images are brought here one after
another, and a task starts when the machine has room for it. What is run in which order is
``stages``' affair.

Example::

    place = Workplace(artefacts, cap=Cap())
    engine = place.choose(model, metrics)
    step = place.run(engine, model, "infer", inputs, outputs, folder)
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from medperf_git.errors import EngineError
from medperf_git.records.container import Container, TaskName
from medperf_git.records.execution import Step
from medperf_git.runtime import machine
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.engine import Engine, Job
from medperf_git.runtime.engines import AUTO, ENGINES, find_engine
from medperf_git.runtime.interrupt import Interrupted
from medperf_git.runtime.limits import Cap, combine
from medperf_git.runtime.materials import materialise
from medperf_git.runtime.slots import Capacity, Share, Slots

Tell = Callable[[str], None]
"""Called with what begins now, for progress."""


def whole_machine(jobs: int | None = None) -> Capacity:
    """All that this machine has, for as many tasks at a time as there are processors."""
    return Capacity(
        jobs=jobs or machine.cpus(),
        cpus=machine.cpus(),
        memory_mb=machine.memory_mb(),
        gpus=machine.gpus(),
    )


@dataclass
class Workplace:
    """What this site runs containers with.

    Attributes:
        artefacts: where images, trees and files come from.
        cap: the most that any task gets.
        engine_name: the engine to use; `auto` or None picks one.
        allowed: the engines that the site allows.
        tell: called with what begins now.
        slots: what all tasks together may take.
        stop: tells that everything shall stop; None: each task listens to signals itself.
        keep_partial: whether a model that failed on some cases counts for the others.
        thorough: whether what was finished before is read again to see that it stands.
    """

    artefacts: ArtefactStore
    cap: Cap = field(default_factory=Cap)
    engine_name: str | None = None
    allowed: Sequence[str] = ENGINES
    tell: Tell = lambda _text: None
    slots: Slots = field(default_factory=lambda: Slots(whole_machine()))
    stop: Interrupted | None = None
    keep_partial: bool = False
    thorough: bool = False
    _fetching: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _told: set[str] = field(default_factory=set, repr=False)

    def choose(self, *containers: Container) -> Engine:
        """Picks one engine for all of these containers, and brings their images here.

        Raises:
            EngineError: none is there that runs them all, or the site does not allow it.
            ArtefactError: an image is missing, or is not what its digest says.
            ExecutionError: it needs more graphics processors than there are.
        """
        for container in containers:
            self.refuse(container)
        self.artefacts.hold()
        # One after another: many models share the metrics' image.
        with self._fetching:
            return self._chosen(containers, self.allowed)

    def _chosen(self, containers: Sequence[Container], allowed: Collection[str]) -> Engine:
        engine = find_engine(
            self.engine_name,
            [container.image for container in containers],
            self.artefacts,
            allowed=allowed,
            gpus=any(container.resources.gpus for container in containers),
        )
        self._tell_once(engine)
        try:
            for container in containers:
                engine.provide(container.image)
        except EngineError as refusal:
            # Only inside an image does an engine see that it can't read it.
            others = [name for name in allowed if name != engine.name]
            if refusal.code != "image-not-admitted" or self.engine_name not in (None, AUTO):
                raise
            with suppress(EngineError):
                return self._chosen(containers, others)
            raise
        return engine

    def _tell_once(self, engine: Engine) -> None:
        described = engine.describe()
        if described.name not in self._told:
            self._told.add(described.name)
            self.tell(f"engine: {described.name} {described.version}")

    def run(
        self,
        engine: Engine,
        container: Container,
        task: TaskName,
        inputs: Mapping[str, Path],
        outputs: Mapping[str, Path],
        folder: Path,
    ) -> Step:
        """Runs one task, when there is room for it.

        Args:
            engine: what `choose` picked.
            container: whose task.
            task: which.
            inputs: by volume name; those that the task does not have are left out.
            outputs: likewise; what an earlier try left there is removed.
            folder: where its log (`logs/TASK.*`) and its materials go.

        Raises:
            ExecutionError: it failed, broke its contract, or was stopped.
        """
        definition = container.tasks[task]
        for path in outputs.values():
            _clear(path)
        materials = materialise(container, self.artefacts, folder / "materials" / task)
        share = self._share(container)
        with self.slots.take(share, lambda: bool(self.stop)) as gpus:
            self.tell(task)
            return engine.run(
                Job(
                    container=container,
                    task=task,
                    inputs={n: p for n, p in inputs.items() if n in definition.input_volumes},
                    outputs={n: p for n, p in outputs.items() if n in definition.output_volumes},
                    parameters_file=materials.parameters_file,
                    additional_files=materials.additional_files,
                    limits=combine(container.resources, self.cap),
                    log=folder / "logs" / task,
                    gpus=gpus,
                    keep_partial=self.keep_partial and task == "infer",
                    stop=self.stop,
                )
            )

    def refuse(self, container: Container) -> None:
        """Raises where a container could never run here.

        Raises:
            ExecutionError: it needs more graphics processors than there are.
        """
        self.slots.refuse(self._share(container), "resources.gpus")

    def _share(self, container: Container) -> Share:
        limits = combine(container.resources, self.cap)
        return Share(
            cpus=limits.cpus, memory_mb=limits.memory_mb, gpus=container.resources.gpus or 0
        )


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
