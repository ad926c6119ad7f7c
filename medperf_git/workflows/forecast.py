"""Forecasts: what a run will do and need, model by model, before anything is done.

Looks at what is recorded and cached; runs nothing, fetches nothing. Whether the outputs of a
finished stage are still there is seen only by the run itself.

Example::

    for each in forecast(session, place, work, local):
        print(each.model, each.todo, each.cached)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from medperf_git.errors import MpgitError
from medperf_git.records.container import Container, ReferenceImage
from medperf_git.runtime.limits import Limits, combine
from medperf_git.workflows.datasets import LocalDataset
from medperf_git.workflows.execute import data_digests, refuse_model
from medperf_git.workflows.measure import stages_of
from medperf_git.workflows.plan import Candidate, Plan, execution_folder
from medperf_git.workflows.session import Session
from medperf_git.workflows.stages import is_finished
from medperf_git.workflows.workplace import Workplace


@dataclass(frozen=True)
class Forecast:
    """What one model of a run comes to.

    Attributes:
        model: its id.
        image: the kind of its image.
        size: bytes of image and files; None where only the engine knows.
        cached: whether all of that is here; None where only the engine knows.
        todo: the tasks that are not finished.
        cpus: processors that it may use.
        memory_mb: MiB that it may use.
        gpus: graphics processors that it needs.
        seconds: how long each of its tasks may take.
        problem: why it won't run.
    """

    model: str
    image: str
    size: int | None
    cached: bool | None
    todo: tuple[str, ...]
    cpus: int
    memory_mb: int
    gpus: int
    seconds: float
    problem: str | None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {**asdict(self), "todo": list(self.todo)}


def forecast(
    session: Session, place: Workplace, work: Plan, local: LocalDataset
) -> Iterator[Forecast]:
    """A forecast for each model of a plan, in its order."""
    for candidate in work.candidates:
        folder = execution_folder(session, work, candidate.pin)
        stages = stages_of(
            candidate.model, work.metrics, (local.data, local.labels), folder, data_digests(work)
        )
        done = [is_finished(folder, stage) for stage in stages]
        limits = combine(candidate.model.resources, place.cap)
        yield Forecast(
            model=candidate.pin.id,
            image=candidate.model.image.type,
            size=_size(candidate.model),
            cached=_cached(place, candidate.model),
            todo=tuple(s.task for s, d in zip(stages, done, strict=True) if not (d and done[0])),
            cpus=limits.cpus,
            memory_mb=limits.memory_mb,
            gpus=candidate.model.resources.gpus or 0,
            seconds=limits.seconds,
            problem=_problem(session, place, candidate, limits),
        )


def _size(container: Container) -> int | None:
    if isinstance(container.image, ReferenceImage):
        return None
    return container.image.size + sum(file.size for file in container.additional_files)


def _cached(place: Workplace, container: Container) -> bool | None:
    if not all(place.artefacts.holds(file) for file in container.additional_files):
        return False
    image = container.image
    return None if isinstance(image, ReferenceImage) else place.artefacts.holds(image)


def _problem(
    session: Session, place: Workplace, candidate: Candidate, limits: Limits
) -> str | None:
    try:
        refuse_model(session, candidate)
        place.refuse(candidate.model)
    except MpgitError as error:
        return error.message
    asked = candidate.model.resources.memory_mb
    if asked > limits.memory_mb:
        return f"asks for {asked} MiB of memory, and gets {limits.memory_mb}"
    return None
