"""The workplace that the options and the site's rules give.

Example::

    place = workplace_of(session, engine="sandbox", folders=())
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from medperf_git.cli import app
from medperf_git.errors import InputError
from medperf_git.records.execution import CompatibilityTest
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.limits import Cap
from medperf_git.runtime.slots import Capacity, Slots
from medperf_git.workflows.compatibility import Parts, run_test
from medperf_git.workflows.session import Session
from medperf_git.workflows.workplace import Workplace, whole_machine


def capacity_options(function: app.FunctionT) -> app.FunctionT:
    """`--jobs`, `--memory-mb` and `--gpus`: what a run may take of this machine."""
    for option in reversed(
        (
            click.option(
                "--jobs",
                type=click.IntRange(min=1),
                help="Models at a time (default: as many as there are processors).",
            ),
            click.option(
                "--memory-mb",
                type=click.IntRange(min=16),
                help="MiB that all of them together may take (default: what is free).",
            ),
            click.option(
                "--gpus",
                metavar="N,N",
                help="Graphics processors that they may take (default: all; `none` for none).",
            ),
        )
    ):
        function = option(function)
    return function


def capacity_of(
    session: Session, jobs: int | None, memory_mb: int | None, gpus: str | None
) -> Capacity:
    """What a run may take: what was asked for, within the site's rules.

    Raises:
        InputError: no number, or a graphics processor that the site does not give.
    """
    machine = whole_machine(jobs)
    allowed = session.site_rules().gpus
    given = machine.gpus if allowed is None else allowed
    return replace(
        machine,
        memory_mb=memory_mb or machine.memory_mb,
        gpus=given if gpus is None else _gpus(gpus, allowed),
    )


def _gpus(text: str, allowed: tuple[str, ...] | None) -> tuple[str, ...]:
    if text == "none":
        return ()
    numbers = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for number in numbers:
        if not (number.isascii() and number.isdigit()):
            raise InputError(
                f"no graphics processor's number: {number!r}",
                place="--gpus",
                advice="numbers with commas between: --gpus 0,1; `nvidia-smi -L` lists them",
            )
        if allowed is not None and number not in allowed:
            raise InputError(
                f"this site does not give the graphics processor {number}",
                code="site-refuses",
                place="site.yaml, gpus",
                advice=f"site.yaml gives {', '.join(allowed) or 'none'}",
            )
    return numbers


def workplace_of(
    session: Session,
    engine: str | None,
    folders: tuple[Path, ...],
    capacity: Capacity | None = None,
) -> Workplace:
    """Where this site runs containers.

    Raises:
        InputError: `site.yaml` can't be understood.
    """
    rules = session.site_rules()
    return Workplace(
        ArtefactStore(session.home.artefacts, (*folders, *map(Path, rules.artefacts))),
        cap=Cap(**rules.limits.model_dump()),
        engine_name=engine,
        allowed=rules.engines,
        tell=app.tell,
        slots=Slots(capacity or capacity_of(session, None, None, None)),
    )


def tester(
    session: Session, engine: str | None, folders: tuple[Path, ...]
) -> Callable[[Parts], CompatibilityTest]:
    """Runs compatibility tests for a workflow, and says so."""
    place = workplace_of(session, engine, folders)

    def test(parts: Parts) -> CompatibilityTest:
        app.tell(f"compatibility test of {parts.model.id} on the demo data")
        folder = session.home.scratch / f"test-{parts.model.image_digest[:16]}"
        return run_test(place, parts, folder, commit=session.main)

    return test
