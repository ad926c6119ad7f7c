from __future__ import annotations

from pathlib import Path

import pytest

from medperf_git.atomic import lock
from tests.e2e.stories import Told, play


def _told(engine: str, factory: pytest.TempPathFactory, worker: str) -> Told:
    """The story of this test session; whichever worker needs it first plays it.

    A lock and not xdist's groups: those do nothing under pytest 9.2 (xdist 3.8 sets a node's
    `_nodeid`, which is gone), and one worker would have all the work.
    """
    base = factory.getbasetemp()
    shared = base if worker == "master" else base.parent
    with lock(shared / f"story-{engine}.lock", wait_seconds=1800):
        told = play(engine, shared / f"story-{engine}")
    assert told.exit_code == 0, told.output[-4000:]
    return told


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    """The name of this pytest worker; `master` without xdist."""
    config = request.config
    return str(getattr(config, "workerinput", {}).get("workerid", "master"))


@pytest.fixture(scope="session")
def sandbox_story(tmp_path_factory: pytest.TempPathFactory, worker: str) -> Told:
    return _told("sandbox", tmp_path_factory, worker)


@pytest.fixture(scope="session")
def docker_story(tmp_path_factory: pytest.TempPathFactory, worker: str) -> Told:
    return _told("docker", tmp_path_factory, worker)


@pytest.fixture(scope="session", params=["sandbox", "docker"])
def story(request: pytest.FixtureRequest) -> Told:
    """The story with each engine."""
    told: Told = request.getfixturevalue(f"{request.param}_story")
    return told


@pytest.fixture(scope="session")
def signers(sandbox_story: Told, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The allowed-signers file that the researcher's `mpgit audit` writes."""
    path = tmp_path_factory.mktemp("signers") / "allowed_signers"
    done = sandbox_story.mpgit("researcher", "audit", "--allowed-signers", path)
    assert done.returncode == 0, done.stderr
    return path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what tests measured."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"measured: {name}: {value}")
