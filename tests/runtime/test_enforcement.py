from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.errors import ExecutionError
from medperf_git.runtime import watchdog
from tests.runtime.lab import SMALL, Lab


def refused(lab: Lab, attack: str, **limits: float) -> ExecutionError:
    """The error that an attack ends in, with nothing left of its outputs."""
    with pytest.raises(ExecutionError) as caught:
        lab.run(attack, replace(SMALL, **limits))  # type: ignore[arg-type]
    assert not list(lab.output.iterdir())
    return caught.value


def test_a_fork_bomb_stays_small(lab: Lab) -> None:
    report = lab.report("fork_bomb")
    assert 5 < report["children"] <= 30


def test_a_fork_bomb_that_goes_on_is_killed(lab: Lab) -> None:
    """Left alone it would go on for ten minutes."""
    assert refused(lab, "fork_bomb_forever", seconds=2).code == "time-limit"


@pytest.mark.parametrize("attack", ["fill_memory", "fill_shared_memory"])
def test_memory_is_limited(lab: Lab, attack: str) -> None:
    error = refused(lab, attack, memory_mb=64)
    if lab.engine.name == "podman":
        # On control groups of version 1 it does not tell why the kernel killed a task.
        assert "likely cause: it ran out of memory" in error.message
        return
    assert error.code == "memory-limit"
    assert "64 MiB" in error.message


def test_memory_file_systems_are_limited(lab: Lab) -> None:
    try:
        written = lab.report("fill_tmp", replace(SMALL, memory_mb=128))
    except ExecutionError as error:
        assert error.code in {"memory-limit", "task-failed"}  # noqa: PT017 (either end is right)
        assert "memory" in error.message  # noqa: PT017
    else:
        assert written <= 4 * 64


@pytest.mark.parametrize("attack", ["fill_one_file", "fill_many_files", "pretend_large_files"])
def test_outputs_are_limited(lab: Lab, attack: str) -> None:
    error = refused(lab, attack)
    assert error.code == "output-limit"
    assert "32 MiB" in error.message


def test_the_number_of_files_is_limited(lab: Lab) -> None:
    error = refused(lab, "many_small_files")
    assert error.code == "output-limit"
    assert "2000 files" in error.message


def test_folders_too_deep_to_walk_are_stopped_and_removed(lab: Lab) -> None:
    error = refused(lab, "deep_output")
    assert error.code == "output-limit"
    assert "deep" in error.message


def test_a_task_that_hangs_is_killed(lab: Lab) -> None:
    started = time.monotonic()
    error = refused(lab, "hang", seconds=3)
    assert error.code == "time-limit"
    assert time.monotonic() - started >= 3
    assert "hanging" in lab.log.stdout.read_text()
    assert "hanging" in str(error.detail)


def test_a_failing_task_says_how_it_ended(lab: Lab) -> None:
    error = refused(lab, "exit_3")
    assert error.code == "task-failed"
    assert "exit code 3" in error.message
    # Apart from the message, which may go where a line of a log must not.
    assert "column age" not in error.message
    assert "column age is missing" in str(error.detail)
    assert "\x1b" not in str(error.detail)
    assert error.place == f"infer, log {lab.log.stderr}"
    assert lab.log.stdout.read_text() == "first line\n"


def test_the_log_is_capped(lab: Lab) -> None:
    lab.run("chatter", replace(SMALL, seconds=60))
    assert lab.log.stdout.stat().st_size < 11 * 1024 * 1024
    assert lab.log.stdout.read_text().rstrip().endswith("the last line")


def test_a_full_disk_is_seen_before_and_during(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "DISK_RESERVE", 1 << 60)
    error = refused(lab, "well_behaved")
    assert error.code == "disk-full"
    monkeypatch.undo()
    real = watchdog.Watchdog._disk
    looks: list[int] = []

    def later(self: watchdog.Watchdog) -> watchdog.Breach | None:
        looks.append(1)
        return watchdog.Breach("disk-full", "full") if len(looks) > 3 else real(self)

    monkeypatch.setattr(watchdog.Watchdog, "_disk", later)
    assert refused(lab, "hang").code == "disk-full"


def test_a_full_disk_under_the_outputs_is_no_crash(lab: Lab, tmp_path: Path) -> None:
    error = refused(lab, "fill_many_files", output_mb=1)
    assert error.code == "output-limit"
