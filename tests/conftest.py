from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from medperf_git.atomic import lock
from tests.support import apptainer
from tests.support.site import Site, build_site, copy_site

# A machine that others use too may stand still for seconds; what costs too much has its own tests.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_report_header() -> str:
    return apptainer.header()


@pytest.fixture(scope="session")
def first_site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Site:
    """The site that every test's own is copied from; built once, however many workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder = shared / "first-site"
    with lock(shared / "first-site-lock" / "lock", wait_seconds=300):
        if not (folder / "genesis").exists():
            shutil.rmtree(folder, ignore_errors=True)
            build_site(folder)
    return Site(folder, (folder / "genesis").read_text())


@pytest.fixture
def site(first_site: Site, tmp_path: Path) -> Site:
    """A site of the test's own."""
    return copy_site(first_site, tmp_path / "site")
