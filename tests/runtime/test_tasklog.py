"""A task's log: two streams apart, and the facts of the run, whatever becomes of it."""

from __future__ import annotations

import io
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from medperf_git.errors import ExecutionError
from medperf_git.runtime.engine import caller
from medperf_git.runtime.tasklog import MAX_BYTES, TaskLog, copy
from tests.runtime.lab import SMALL, Lab
from tests.runtime.test_interrupt import drive, wait_until_hanging
from tests.support.patience import PATIENCE


def facts(lab: Lab) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.log.facts.read_text())
    return found


def test_streams_are_apart_and_facts_are_kept(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPGIT_PASSPHRASE", "open sesame")
    with pytest.raises(ExecutionError):
        lab.run("exit_3")
    assert lab.log.stdout.read_text() == "first line\n"
    assert "column age is missing" in lab.log.stderr.read_text()
    for path in (lab.log.stdout, lab.log.stderr, lab.log.facts):
        assert path.stat().st_mode & 0o777 == 0o600
    told = facts(lab)
    assert told["task"] == "infer"
    assert told["engine"] == lab.engine.describe().model_dump()
    assert told["image"]["type"] == lab.image.type
    assert told["image"]["sha256"] == lab.image.digest
    assert told["command"] == ["python3", "/project/attacks.py", "exit_3"]
    assert told["limits"] == asdict(SMALL)
    assert told["user"] == caller()
    assert (told["exit_code"], told["outcome"]) == (3, "task-failed")
    assert 0 < told["seconds"] < SMALL.seconds
    assert told["began"].endswith("+00:00")
    # What it printed is in its own files only; what we have in ours, in none.
    assert "column" not in lab.log.facts.read_text()
    assert "sesame" not in lab.log.facts.read_text()


def test_the_environment_is_what_the_task_got(lab: Lab) -> None:
    got = lab.report("environment")["variables"]
    told = facts(lab)["environment"]
    assert told["HOME"] == "/tmp"  # noqa: S108 (the task's)
    assert told["PATH"]
    if lab.engine.name == "apptainer":
        # It adds a dozen of its own.
        assert told.items() <= got.items()
        return
    # The shell's own bookkeeping, and what Docker and Podman add to what they were told.
    extra = {"PWD", "HOSTNAME", "LC_CTYPE"}
    got, told = ({n: v for n, v in all_.items() if n not in extra} for all_ in (got, told))
    assert got == told
    assert facts(lab)["outcome"] == "finished"
    assert facts(lab)["exit_code"] == 0


@pytest.mark.parametrize(
    ("attack", "outcome"),
    [("hang", "time-limit"), ("fill_memory", "memory-limit"), ("fill_one_file", "output-limit"),
     ("link_output", "hostile-output")],
)  # fmt: skip
def test_why_a_task_was_stopped_is_kept(sandbox: Lab, attack: str, outcome: str) -> None:
    limits = SMALL if attack != "hang" else type(SMALL)(**{**asdict(SMALL), "seconds": 1})
    with pytest.raises(ExecutionError):
        sandbox.run(attack, limits)
    assert facts(sandbox)["outcome"] == outcome
    assert "exit_code" in facts(sandbox)


def test_a_client_that_is_killed_leaves_facts_without_an_end(lab: Lab) -> None:
    lab.engine.provide(lab.image)  # an engine may take its time to convert it
    with drive(lab, "hang") as process:
        wait_until_hanging(lab, process)
        process.kill()
        process.wait(PATIENCE)
    told = facts(lab)
    assert told["command"][-1] == "hang"
    assert not {"exit_code", "outcome", "seconds"} & set(told)


def test_a_second_try_replaces_the_first_one_s_log(sandbox: Lab) -> None:
    with pytest.raises(ExecutionError):
        sandbox.run("exit_3")
    sandbox.run("well_behaved")
    assert sandbox.log.stdout.read_text() == "all is well\n"
    assert sandbox.log.stderr.read_text() == ""
    assert facts(sandbox)["outcome"] == "finished"


def test_a_link_in_place_of_a_log_leads_nowhere(sandbox: Lab, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    sandbox.log.stdout.parent.mkdir()
    for path in (sandbox.log.stdout, sandbox.log.stderr, sandbox.log.facts):
        path.symlink_to(victim)
    sandbox.run("well_behaved")
    assert victim.read_text() == "mine"
    assert not sandbox.log.stdout.is_symlink()


def test_errors_come_before_what_was_printed(tmp_path: Path) -> None:
    log = TaskLog(tmp_path / "infer")
    assert (log.last_lines(), log.main) == ("", log.stdout)
    copy(io.BytesIO(b"reading\n"), log.stdout)
    assert (log.last_lines(), log.main) == ("reading", log.stdout)
    copy(io.BytesIO(b"\n\x1b[2Jno age\n\n"), log.stderr)
    assert (log.last_lines(), log.main) == ("\N{REPLACEMENT CHARACTER}[2Jno age", log.stderr)


def test_each_stream_is_capped(sandbox: Lab) -> None:
    path = sandbox.folder / "log"
    copy(io.BytesIO(os.urandom(64) * (MAX_BYTES // 32)), path)
    assert MAX_BYTES <= path.stat().st_size < MAX_BYTES + 100
