"""Killed at any moment, a run ends as if nothing had happened: a hundred times, at random.

The same holds for submitting. What is compared is what would leave the site: the results without
the day and the time they took.
"""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from medperf_git.runtime.leftovers import leftovers
from tests.support.patience import until
from tests.support.site import BENCHMARK, REGISTRY, Site, copy_site
from tests.workflows.test_running import RUN, sandboxes

KILLS = 100
SUBMIT_KILLS = 25
MODELS = ("-m", "anna/rule", "-m", "oak/good", "-m", "oak/halfway")
COMMAND = (*RUN, *MODELS, "--ignore-case-errors", "--jobs", "2", "--json")
SUBMIT = ("result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes", "--merge")
WHOLE_SECONDS = 2.5
"""About as long as an undisturbed run takes: kills fall anywhere in it."""


def substance(record: dict[str, Any]) -> dict[str, Any]:
    """A result without what differs between two runs."""
    execution = dict(record["execution"])
    del execution["finished"]
    execution["steps"] = [{**step, "seconds": 0} for step in execution["steps"]]
    return {**record, "execution": execution}


def measured(site: Site) -> dict[str, Any]:
    rows = site.do("ky", "result", "ls", "--local", "--json").json
    return {row["record"]["model"]["id"]: substance(row["record"]) for row in rows}


def registered(site: Site) -> dict[str, Any]:
    site.do("ky", "registry", "sync")
    rows = site.do("ky", "result", "ls", "--json").json
    return {row["record"]["model"]["id"]: substance(row["record"]) for row in rows}


def killed(site: Site, words: tuple[str, ...], seconds: float) -> bool:
    """Starts a command and kills it after so long; whether it was still running."""
    process = site.start("ky", *words)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    assert process.returncode == 0
    return False


def nothing_runs(site: Site) -> None:
    until(lambda: not sandboxes(site))


def left_behind(site: Site) -> list[Path]:
    """Scratch folders, parts of files, mounts and control groups of this site."""
    home = site.home("ky")
    folders = [home.data, home.cache, *(p for p in home.data.rglob("*") if p.is_dir())]
    found = [path for folder in folders for path in leftovers(folder)]
    mounts = Path("/proc/self/mountinfo").read_text()
    return [*found, *([site.folder] if str(site.folder) in mounts else [])]


@pytest.fixture(scope="module")
def undisturbed(first_site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    site = copy_site(first_site, tmp_path_factory.mktemp("undisturbed") / "site")
    site.do("ky", *COMMAND)
    return measured(site)


def test_a_run_that_is_killed_a_hundred_times(site: Site, undisturbed: dict[str, Any]) -> None:
    chance = random.Random(20261122)  # noqa: S311 (no secret)
    kills = rounds = 0
    stages_run: list[int] = []
    while kills < KILLS:
        here = 0
        while killed(site, COMMAND, chance.uniform(0.1, WHOLE_SECONDS)):
            here += 1
            for path in site.home("ky").executions(REGISTRY).glob("*/execution.json"):
                json.loads(path.read_bytes())  # never half of one
        kills, rounds = kills + here, rounds + 1
        assert measured(site) == undisturbed
        nothing_runs(site)
        nothing_runs(site)
        assert left_behind(site) == []
        stages_run.append(here)
        for path in site.home("ky").executions(REGISTRY).iterdir():
            subprocess.run(["rm", "-r", path], check=True)
    assert rounds >= 3  # it does finish between kills, again and again
    assert max(stages_run) >= 2


def test_a_submission_that_is_killed(site: Site, undisturbed: dict[str, Any]) -> None:
    site.do("ky", *COMMAND)
    chance = random.Random(4)  # noqa: S311 (no secret)
    kills = rounds = 0
    fresh = copy_site(site, site.folder.parent / "fresh")
    while kills < SUBMIT_KILLS:
        tried = copy_site(fresh, site.folder.parent / f"tried-{rounds}")
        rounds += 1
        while (end := submitted(tried, chance.uniform(0.2, 1.2))) != "done":
            kills += end == "killed"
        assert registered(tried) == undisturbed
        tried.do("ana", "registry", "sync")
        tried.do("ana", "audit")
        assert not tried.outbox("ky")


def submitted(site: Site, seconds: float) -> str:
    """Submits once more: `killed`, `again` or `done`; follows what the command says."""
    process = site.start("ky", *SUBMIT)
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "killed"
    if process.returncode == 0:
        return "done"
    assert "nothing new to submit" in said
    if "mpgit request merge" in said:
        # It may have been killed behind the merge: then merging once more says so.
        merged = site.do("ky", "request", "merge", said.rpartition(" ")[2].strip(), expect=None)
        assert merged.code == 0 or "is merged" in merged.err
        return "done"
    site.do("ky", "registry", "sync")
    waits = site.do("ky", "result", "ls", "--local", "--json").json
    return "done" if {row["state"] for row in waits} == {"registered"} else "again"
