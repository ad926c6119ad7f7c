"""The hook of a plain Git server: what it lets through, and what it refuses."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medperf_git.cli.main import invoke

HOOK = Path(__file__).resolve().parent.parent.parent / "tools" / "pre-receive"


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    who = ["-c", "user.name=eve", "-c", "user.email=eve@localhost"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a guarded registry, founded and grown by the client through the hook."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPGIT_HOME", str(tmp_path / "home"))
    program = tmp_path / "mpgit"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m medperf_git "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("MPGIT", str(program))
    place = tmp_path / "registry.git"
    assert not git(tmp_path, "init", "--bare", "--initial-branch=main", str(place)).returncode
    shutil.copy(HOOK, place / "hooks" / "pre-receive")
    assert invoke(["key", "create", "--no-passphrase"]) == 0
    who = ["--participant", "anna", "--participant-name", "Anna", "--title", "Test"]
    assert invoke(["registry", "init", "test", f"file://{place}", *who, "--yes"]) == 0
    assert invoke(["model", "create", "rule"]) == 0
    assert invoke(["model", "submit", "rule/draft.yaml", "--yes", "--merge"]) == 0
    assert not git(tmp_path, "clone", str(place), "clone").returncode
    return tmp_path / "clone"


def push(clone: Path, *arguments: str) -> str:
    """What is said about a push; nothing if it went through."""
    done = git(clone, "push", "origin", *arguments)
    return done.stderr if done.returncode else ""


def test_requests_pass(clone: Path) -> None:
    assert not push(clone, "HEAD:refs/heads/requests/bob/thing")
    assert not push(clone, ":refs/heads/requests/bob/thing")


def test_an_edited_record_is_refused(clone: Path) -> None:
    (clone / "registry/models/anna/rule/1.yaml").write_text("forged\n")
    git(clone, "commit", "--all", "--message", "forge")
    assert "only-additions" in push(clone, "HEAD:main")


def test_each_step_is_judged_not_only_the_last(clone: Path) -> None:
    record = clone / "registry/models/anna/rule/1.yaml"
    text = record.read_text()
    for content in ("forged\n", text):
        record.write_text(content)
        git(clone, "commit", "--all", "--message", "and back")
    assert "only-additions" in push(clone, "HEAD:main")


def test_main_only_goes_forward(clone: Path) -> None:
    assert "only goes forward" in push(clone, "--force", "HEAD~1:main")
    assert "never deleted" in push(clone, ":main")


def test_main_stays_the_first_parent(clone: Path) -> None:
    git(clone, "checkout", "-b", "side", "HEAD~1")
    git(clone, "commit", "--allow-empty", "--message", "side")
    assert not git(clone, "merge", "--message", "turned round", "origin/main").returncode
    assert "first parent" in push(clone, "HEAD:main")


@pytest.mark.parametrize("ref", ["refs/heads/other", "refs/tags/v1", "refs/mpgit/checked"])
def test_other_refs_are_refused(clone: Path, ref: str) -> None:
    assert "neither main nor a request" in push(clone, f"HEAD:{ref}")


def test_without_mpgit_nothing_passes(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(clone, "commit", "--allow-empty", "--message", "harmless")
    assert not push(clone, "HEAD:main")
    git(clone, "commit", "--allow-empty", "--message", "harmless")
    monkeypatch.setenv("MPGIT", "no-such-program")
    assert "is not complete" in push(clone, "HEAD:main")
