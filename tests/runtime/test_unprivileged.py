"""The sandbox for a user who is not root and has no control groups, and for root without them."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from medperf_git.records.container import SourceImage
from tests.runtime import drive

NOBODY = 65534


@pytest.fixture
def site(shelf: Path, source_image: SourceImage) -> Any:
    """Folders that an unprivileged user may use; pytest's own are root's alone."""
    folder = Path("/var/tmp") / f"mpgit-test-{os.getpid()}"  # noqa: S108
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("store", "work"):
        (folder / name).mkdir(parents=True)
        shutil.chown(folder / name, NOBODY, NOBODY)
    shutil.copytree(shelf / "project", folder / "project")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run(site: Path, image: SourceImage, attack: str, **more: Any) -> dict[str, Any]:
    """Run an attack in a child that becomes another user after it has imported everything."""
    job = {
        "image": image.model_dump(),
        "store": str(site / "store"),
        "shelf": str(site),
        "folder": str(site / "work"),
        "attack": attack,
        # Ours may stand in root's home.
        "python": "/usr/bin/python3",
        **more,
    }
    parent, child = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=lambda: child.send(drive.main("sandbox", job))
    )
    process.start()
    child.close()
    try:
        outcome: dict[str, Any] = parent.recv()
    finally:
        process.join(20)
        parent.close()
    return outcome


@pytest.fixture
def unprivileged(site: Path, source_image: SourceImage) -> Any:
    return lambda attack, **more: run(site, source_image, attack, user=NOBODY, **more)


def test_it_runs_as_that_user(unprivileged: Any) -> None:
    outcome = unprivileged("identity")
    assert outcome["report"]["uid"] == NOBODY
    assert [int(value, 16) for value in outcome["report"]["capabilities"]] == [0, 0, 0, 0]
    isolation = outcome["step"]["isolation"]
    assert isolation["user"] == f"{NOBODY}:{NOBODY}"
    assert isolation["memory_mb"]["enforced_by"] == "watchdog"
    assert isolation["processes"]["enforced_by"] == "rlimit"
    assert isolation["cpus"]["enforced_by"] == "none"


def test_a_fork_bomb_stays_small(unprivileged: Any) -> None:
    assert 5 < unprivileged("fork_bomb")["report"]["children"] <= 30


@pytest.mark.parametrize("attack", ["fill_memory", "fill_shared_memory"])
def test_memory_is_limited(unprivileged: Any, attack: str) -> None:
    error = unprivileged(attack, limits={"memory_mb": 64})["error"]
    assert error["code"] in {"memory-limit", "task-failed"}
    assert "emory" in error["message"]


def test_nothing_is_written_or_gained(unprivileged: Any) -> None:
    assert unprivileged("write_everywhere")["report"] == []


def test_no_privilege_is_gained(unprivileged: Any) -> None:
    assert unprivileged("become_root")["report"] == []


def test_root_without_control_groups_is_told_the_truth(
    site: Path, source_image: SourceImage
) -> None:
    outcome = run(site, source_image, "identity", cgroups=False)
    isolation = outcome["step"]["isolation"]
    assert isolation["processes"]["enforced_by"] == "none"
    assert isolation["memory_mb"]["enforced_by"] == "watchdog"
