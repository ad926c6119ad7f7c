"""Many models in one run: side by side, each for itself, within what the machine has."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.patience import until
from tests.support.site import BENCHMARK, CASES, REGISTRY, Site
from tests.workflows.test_running import RUN, mounted_outputs, sandboxes

SLOW = ("-m", "oak/slow", "-m", "oak/slow-2", "-m", "oak/slow-3")


def by_model(rows: Any) -> dict[str, Any]:
    return {row["model"]: row for row in rows}


def seconds_of(site: Site, *words: str) -> float:
    began = time.monotonic()
    site.do("ky", *RUN, *words)
    return time.monotonic() - began


def test_models_run_side_by_side(site: Site) -> None:
    """Each sleeps for three seconds, and two are seen at once, on as many processors."""
    process = site.start("ky", *RUN, *SLOW, "--jobs", "3")
    try:
        until(lambda: len(mounted_outputs(site)) >= 2, process)
        assert site.finish(process).code == 0
    finally:
        process.kill()
    assert all(r["state"] == "new" for r in site.do("ky", "result", "ls", "--local", "--json").json)


@pytest.mark.parametrize("limit", [("--jobs", "1"), ("--memory-mb", "200")])
def test_no_more_than_there_is_room_for(site: Site, limit: tuple[str, str]) -> None:
    """Each may use 128 MiB."""
    assert seconds_of(site, *SLOW[:4], "--jobs", "4", *limit) > 6


def test_one_failure_stops_nobody(site: Site) -> None:
    models = ("-m", "oak/fails", "-m", "anna/rule", "-m", "oak/hangs", "-m", "oak/good")
    done = site.do("ky", *RUN, *models, "--json", expect=1)
    states = {name: row["state"] for name, row in by_model(done.json).items()}
    assert states == {
        "anna/rule": "finished", "oak/good": "finished",
        "oak/fails": "failed", "oak/hangs": "failed",
    }  # fmt: skip
    assert "oak/fails failed" in done.err


def test_a_plan_before_anything_runs(site: Site) -> None:
    models = ("-m", "anna/rule", "-m", "oak/graphics", "-m", "oak/good")
    done = site.do("ky", *RUN, *models, "--dry-run", "--json", expect=1)
    rows = by_model(done.json)
    assert rows["anna/rule"]["todo"] == ["infer", "evaluate"]
    assert (rows["anna/rule"]["cpus"], rows["anna/rule"]["memory_mb"]) == (1, 128)
    assert rows["anna/rule"]["size"] > 0
    assert "graphics processors" in rows["oak/graphics"]["problem"]
    assert not site.home("ky").executions(REGISTRY).exists()
    site.do("ky", *RUN, "-m", "oak/good")
    rows = by_model(site.do("ky", *RUN, *models[-2:], "--dry-run", "--json").json)
    assert (rows["oak/good"]["todo"], rows["oak/good"]["cached"]) == ([], True)
    text = site.do("ky", *RUN, *models[-2:], "--dry-run").out
    assert "nothing: it is finished" in text


def test_a_model_that_needs_a_gpu(site: Site) -> None:
    words = (*RUN, "-m", "oak/graphics", "--json")
    (row,) = site.do("ky", *words, expect=1).json
    assert row["error"]["code"] == "no-gpu"
    assert "--gpus" in row["error"]["advice"]
    # Where somebody says that there is one, it is asked for: the sandbox can't find the device.
    (row,) = site.do("ky", *words, "--gpus", "0", expect=1).json
    assert "nvidia0" in row["error"]["detail"]


@pytest.mark.parametrize(
    ("gpus", "rule", "code"),
    [("x", "", "bad-input"), ("0;1", "", "bad-input"), ("1", 'gpus: ["0"]', "site-refuses")],
)
def test_gpus_that_can_not_be_had(site: Site, gpus: str, rule: str, code: str) -> None:
    file = site.home("ky").site_file
    file.write_text(file.read_text() + rule + "\n")
    done = site.do("ky", *RUN, "-m", "anna/rule", "--gpus", gpus, "--json", expect=2)
    assert done.json["error"]["code"] == code


def test_another_try(site: Site) -> None:
    """Six of ten tries fail."""
    done = site.do("ky", *RUN, "-m", "oak/flaky", "--retry", "60", "--json")
    assert done.json[0]["state"] == "finished"
    failing = site.do("ky", *RUN, "-m", "oak/fails", "--retry", "2", expect=1)
    assert failing.err.count("tried again") == 2


def test_a_model_that_fails_on_some_cases(site: Site) -> None:
    words = (*RUN, "-m", "oak/halfway", "--json")
    (row,) = site.do("ky", *words, expect=1).json
    assert row["error"]["code"] == "task-failed"
    (row,) = site.do("ky", *words, "--ignore-case-errors").json
    assert row["partial"]
    assert row["denominator"] == {
        "cases": CASES, "evaluated": 20, "failed": CASES - 20, "excluded": 0,
    }  # fmt: skip
    assert row["execution"]["steps"][0]["exit_code"] == 1
    # Without the option it is not taken for a whole one: it runs, and fails, again.
    site.do("ky", *words, expect=1)
    site.do("ky", *words, "--ignore-case-errors")
    site.do("ky", "result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes", "--merge")
    assert "partial" in site.do("ky", "result", "ls").out
    assert "partial" in site.do("ky", "leaderboard", BENCHMARK).out
    (shown,) = site.do("ky", "leaderboard", BENCHMARK, "--json").json["models"]
    assert shown["partial"] == ["ky/opt"]


def test_case_errors_are_not_all_errors(site: Site) -> None:
    """A model without any prediction, or one that was killed, counts for nothing."""
    models = ("-m", "oak/fails", "-m", "oak/hangs")
    done = site.do("ky", *RUN, *models, "--ignore-case-errors", "--json", expect=1)
    codes = {name: row["error"]["code"] for name, row in by_model(done.json).items()}
    assert codes["oak/hangs"] == "time-limit"
    assert codes["oak/fails"] == "task-failed"


def test_all_are_stopped_at_once(site: Site) -> None:
    process = site.start("ky", *RUN, *SLOW, "--jobs", "2")
    try:
        until(lambda: len(sandboxes(site)) >= 2, process)
        process.send_signal(signal.SIGINT)
        done = site.finish(process)
    finally:
        process.kill()
    assert done.code == 130
    assert "0 of 3 models are finished" in done.err
    assert not sandboxes(site)
    assert leftovers(site.home("ky").data) == []


def leftovers(folder: Path) -> list[Path]:
    """Scratch folders and half-written files."""
    return [p for p in folder.rglob("*") if p.name.startswith(".mpgit-") or p.suffix == ".part"]
