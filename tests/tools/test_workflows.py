"""The workflows and the action: what they may do, and each job's steps run for real."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medperf_git.cli.main import invoke
from medperf_git.store.change import merge_trees, write_files
from medperf_git.vcs import Repository
from tests.support.actions import TOP, Ran, Runner, load
from tests.support.in_git import export
from tests.support.simulator import Files, Simulator, begun_registry, participant_record

OURS = sorted((TOP / ".github" / "workflows").glob("*.yml"))
WHO = ("somebody", "somebody@example")
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40}")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `mpgit server github` writes."""
    folder = tmp_path_factory.mktemp("github")
    words = ["--action", f"medperf/medperf_git@{'0' * 40}", "--owner", "@clinics/administrators"]
    genesis = begun_registry().snapshot.identity
    assert invoke(["server", "github", str(folder), *words, "--genesis", genesis]) == 0
    return folder


# --- what stands in them ---------------------------------------------------------------------


def workflows(written: Path) -> list[Path]:
    return [*OURS, *sorted((written / ".github" / "workflows").glob("*.yml"))]


def test_no_job_may_more_than_it_needs(written: Path) -> None:
    for path in workflows(written):
        data = load(path)
        assert data["permissions"] == {}, path
        for job in data["jobs"].values():
            assert job["permissions"] == {"contents": "read"}, path
            assert "if" not in job, path
        assert "pull_request_target" not in data["on"], path


def test_everything_used_is_pinned(written: Path) -> None:
    steps = [s for p in workflows(written) for j in load(p)["jobs"].values() for s in j["steps"]]
    steps += load(TOP / "action.yml")["runs"]["steps"]
    for step in steps:
        assert "uses" not in step or step["uses"] == "./" or PINNED.fullmatch(step["uses"]), step
        if str(step.get("uses")).startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


def test_no_expression_stands_in_a_script() -> None:
    jobs = [job for path in OURS for job in load(path)["jobs"].values()]
    for step in [s for j in jobs for s in j["steps"]] + load(TOP / "action.yml")["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), step


def test_the_required_check_is_the_job(written: Path) -> None:
    ruleset = json.loads((written / ".github" / "ruleset.json").read_text())
    rules = {rule["type"]: rule.get("parameters") for rule in ruleset["rules"]}
    (check,) = rules["required_status_checks"]["required_status_checks"]
    (job,) = load(written / ".github" / "workflows" / "validate.yml")["jobs"].values()
    assert check["context"] == job["name"]
    assert rules["pull_request"]["require_code_owner_review"]
    assert rules["pull_request"]["allowed_merge_methods"] == ["merge"]
    assert {"deletion", "non_fast_forward"} <= rules.keys()


def test_the_linters_are_content(written: Path) -> None:
    done = subprocess.run(
        ["bash", TOP / "tools" / "lint_workflows.sh", written],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--action", "medperf/medperf_git@v1", "--owner", "@me", "--genesis", "0" * 64],
        ["--action", f"me/it@{'0' * 40}", "--owner", "me", "--genesis", "0" * 64],
        ["--action", f"me/it@{'0' * 40}", "--owner", "@me\n* @eve", "--genesis", "0" * 64],
        ["--action", f"me/it@{'0' * 40}", "--owner", "@me", "--genesis", "0"],
    ],
)
def test_what_could_move_or_inject_is_refused(tmp_path: Path, words: list[str]) -> None:
    assert invoke(["server", "github", str(tmp_path), *words]) == 2
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(written: Path) -> None:
    words = ["--action", f"me/it@{'0' * 40}", "--owner", "@me", "--genesis", "0" * 64]
    assert invoke(["server", "github", str(written), *words]) == 2


# --- their jobs ------------------------------------------------------------------------------


@dataclass
class Forge:
    """A forge with one registry: a bare repository, and the events that it would tell of."""

    folder: Path
    repository: Repository
    registry: Simulator
    runner: Runner

    @property
    def main(self) -> str:
        return self.repository.resolve("refs/heads/main")

    def commit(self, base: str, files: Files, *more: str) -> str:
        tree = write_files(self.repository, self.repository.commit(base).tree, files)
        return self.repository.write_commit(tree, [base, *more], "Change", WHO)

    def merge(self, base: str, head: str) -> str:
        tree = merge_trees(self.repository, base, head)
        return self.repository.write_commit(tree, [base, head], "Merge", WHO)

    def run(self, workflow: Path, **github: Any) -> Ran:
        event = {"repository": {"default_branch": "main"}, **github.pop("event", {})}
        facts = {"server_url": f"file://{self.folder}", "repository": "clinics/registry"}
        return self.runner.job(workflow, {**facts, **github, "event": event})

    def request(self, workflow: Path, head: str) -> Ran:
        self.repository.set_ref("refs/pull/1/head", head)
        event = {"pull_request": {"head": {"sha": head}, "base": {"sha": self.main}}}
        return self.run(workflow, event_name="pull_request", base_ref="main", event=event)

    def queue(self, workflow: Path, head: str) -> Ran:
        event = {"merge_group": {"base_sha": self.main, "head_sha": head}}
        self.repository.set_ref("refs/heads/gh-readonly-queue/main/pr-1", head)
        return self.run(workflow, event_name="merge_group", event=event)

    def push(self, workflow: Path) -> Ran:
        return self.run(workflow, event_name="push")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A machine; mpgit is installed anew by the first job, as on the forge."""
    return Runner(tmp_path_factory.mktemp("runner"))


@pytest.fixture
def forge(tmp_path: Path, runner: Runner) -> Iterator[Forge]:
    registry = begun_registry()
    with Repository.create(tmp_path / "clinics" / "registry") as repository:
        export(registry, repository)
        yield Forge(tmp_path, repository, registry, runner)


@pytest.fixture(params=["ours", "written"])
def validate(request: pytest.FixtureRequest, written: Path) -> Path:
    top = TOP if request.param == "ours" else written
    return top / ".github" / "workflows" / "validate.yml"


@pytest.fixture
def audit(written: Path) -> Path:
    return written / ".github" / "workflows" / "audit.yml"


def registration(forge: Forge, person: str, *signers: str) -> Files:
    return forge.registry.sign(participant_record(person), by=signers)


def test_a_good_request(forge: Forge, validate: Path) -> None:
    head = forge.commit(forge.main, registration(forge, "new", "new", "ada"))
    ran = forge.request(validate, head)
    assert ran.code == 0, ran.log
    assert "complete" in ran.summary
    # What is checked out, where anything is, is main and never the request.
    assert all(c["ref"] == forge.main for c in ran.checkouts)


def test_a_bad_request(forge: Forge, validate: Path) -> None:
    path = "registry/participants/ada/1.yaml"
    ran = forge.request(validate, forge.commit(forge.main, {path: b"forged\n"}))
    assert ran.code == 1, ran.log
    assert "only-additions" in ran.summary
    assert path in ran.summary


def test_an_awaiting_request(forge: Forge, validate: Path) -> None:
    ran = forge.request(validate, forge.commit(forge.main, registration(forge, "new", "new")))
    assert ran.code == 3, ran.log
    assert "awaiting" in ran.summary
    assert "alan" in ran.summary


def test_a_request_behind_main_is_judged_merged(forge: Forge, validate: Path) -> None:
    behind = forge.commit(forge.main, registration(forge, "new", "new", "ada"))
    newer = forge.commit(forge.main, registration(forge, "other", "other", "ada"))
    forge.repository.set_ref("refs/heads/main", newer)
    assert forge.request(validate, behind).code == 0


def test_a_request_in_conflict(forge: Forge, validate: Path) -> None:
    files = registration(forge, "new", "new", "ada")
    one = forge.commit(forge.main, files)
    forge.repository.set_ref(
        "refs/heads/main", forge.commit(forge.main, registration(forge, "new", "new", "amy"))
    )
    ran = forge.request(validate, forge.commit(one, {"registry/participants/new/1.yaml": b"x\n"}))
    assert ran.code == 1
    assert "conflict" in ran.summary or "invalid" in ran.summary


def test_nothing_of_a_request_is_run(forge: Forge, validate: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    script = f"#!/bin/sh\ntouch {mark}\n".encode()
    files = {
        "tools/judge.sh": script,
        "action.yml": b"name: evil\n",
        "medperf_git/__init__.py": f"open({str(mark)!r}, 'w')\n".encode(),
        "sitecustomize.py": f"open({str(mark)!r}, 'w')\n".encode(),
        ".gitattributes": b"* filter=evil merge=evil\n",
        "::stop-commands::x": b"::error::x\n",
    }
    files |= registration(forge, "new", "new", "ada")
    ran = forge.request(validate, forge.commit(forge.main, files))
    assert ran.code == 1
    assert not mark.exists()
    assert "control" in ran.summary


def test_a_forged_request_in_the_middle_of_a_queue(forge: Forge, validate: Path) -> None:
    good = forge.commit(forge.main, registration(forge, "new", "new", "ada"))
    other = forge.commit(forge.main, registration(forge, "other", "other", "amy"))
    queued = forge.merge(forge.merge(forge.main, good), other)
    ran = forge.queue(validate, queued)
    assert ran.code == 0, ran.log
    assert ran.summary.count("complete: nothing is missing") == 2
    path = "registry/participants/ada/1.yaml"
    was = forge.registry.tree.files[path][1]
    edited = forge.merge(forge.main, forge.commit(forge.main, {path: b"forged\n"}))
    back = forge.merge(edited, forge.commit(edited, {path: was}))
    assert forge.queue(validate, back).code == 1
    unrelated = forge.repository.write_commit(
        forge.repository.commit(forge.main).tree, [], "No parent", WHO
    )
    assert forge.queue(validate, unrelated).code == 1


def test_an_audit_of_good_history_and_of_bad(forge: Forge, audit: Path) -> None:
    ran = forge.push(audit)
    assert ran.code == 0, ran.log
    assert "ACCEPTED" in ran.summary
    path = "registry/participants/ada/1.yaml"
    forge.repository.set_ref("refs/heads/main", forge.commit(forge.main, {path: b"forged\n"}))
    ran = forge.push(audit)
    assert ran.code == 1
    assert "REFUSED" in ran.summary
    assert path in ran.summary


def test_our_own_audit_looks_at_the_tree(forge: Forge) -> None:
    workflow = TOP / ".github" / "workflows" / "audit.yml"
    whole = {path: payload for path, (_, payload) in forge.registry.tree.files.items()}
    tree = write_files(forge.repository, forge.repository.commit(forge.main).tree, whole)
    forge.repository.set_ref(
        "refs/heads/main", forge.repository.write_commit(tree, [], "All at once", WHO)
    )
    ran = forge.push(workflow)
    assert ran.code == 0, ran.log
    assert "finished tree" in ran.summary


def test_another_registry_is_refused(forge: Forge, written: Path) -> None:
    other = Simulator()
    other.merge(other.genesis(name="Another"))
    (genesis,) = export(other, forge.repository)
    for name in ("validate", "audit"):
        workflow = written / ".github" / "workflows" / f"{name}.yml"
        ran = forge.request(workflow, genesis) if name == "validate" else forge.push(workflow)
        assert ran.code == 1
        assert "another registry" in ran.summary
