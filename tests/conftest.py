from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from medperf_git.atomic import lock
from tests.support.site import Site, build_site, copy_site


@pytest.fixture(scope="session")
def first_site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Site:
    """The site that every test's own is copied from; built once, whatever the workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder = shared / "first-site"
    with lock(shared / "first-site-lock" / "lock", wait_seconds=300):
        if not (folder / "genesis").exists():
            return build_site(Path(tempfile.mkdtemp(dir=shared)) / "x") if folder.exists() else (
                build_site(folder)
            )
    return Site(folder, (folder / "genesis").read_text())


@pytest.fixture
def new_site(first_site: Site, tmp_path: Path) -> Callable[..., Site]:
    """Makes a site of the test's own, with the homes of those that are named."""
    return lambda *people: copy_site(first_site, tmp_path / "site", people)


@pytest.fixture
def site(first_site: Site, tmp_path: Path) -> Site:
    """A site of the test's own, with everybody's home."""
    return copy_site(first_site, tmp_path / "site")
