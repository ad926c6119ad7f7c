"""The workplace that the options and the site's rules give.

Example::

    place = workplace_of(session, engine="sandbox", folders=())
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from medperf_git.cli import app
from medperf_git.records.execution import CompatibilityTest
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.limits import Cap
from medperf_git.workflows.compatibility import Parts, run_test
from medperf_git.workflows.session import Session
from medperf_git.workflows.workplace import Workplace


def workplace_of(session: Session, engine: str | None, folders: tuple[Path, ...]) -> Workplace:
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
