"""The hook of a plain Git server: what it lets through, and what it refuses."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medperf_git.cli.main import invoke


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    who = ["-c", "user.name=eve", "-c", "user.email=eve@localhost"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A guarded registry, founded and grown by the client through the hook, and a clone."""
    folder = tmp_path_factory.mktemp("founded")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MPGIT_HOME", str(folder / "home"))
        program = folder / 'an "odd" place' / "mpgit"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m medperf_git "$@"\n')
        program.chmod(0o755)
        place = folder / "registry.git"
        words = ["server", "init", str(place), "--install-path", str(program)]
        assert invoke([*words, "--max-open", "3", "--max-objects", "80"]) == 0
        assert invoke(["key", "create", "--no-passphrase"]) == 0
        who = ["--participant", "anna", "--participant-name", "Anna", "--title", "Test"]
        assert invoke(["registry", "init", "test", f"file://{place}", *who, "--yes"]) == 0
        assert invoke(["model", "create", "rule"]) == 0
        assert invoke(["model", "submit", "rule/draft.yaml", "--yes", "--merge"]) == 0
        assert invoke(["model", "create", "other"]) == 0
        assert invoke(["model", "submit", "other/draft.yaml", "--yes"]) == 0
        words = ["request", "withdraw", "anna/model-other-1", "--reason", "No", "--yes"]
        assert invoke(words) == 0
        assert not git(folder, "clone", str(place), "clone").returncode
    return folder


@pytest.fixture
def clone(founded: Path, tmp_path: Path) -> Path:
    """A clone of a copy of the registry."""
    for name in ("registry.git", "clone"):
        shutil.copytree(founded / name, tmp_path / name)
    git(tmp_path / "clone", "remote", "set-url", "origin", str(tmp_path / "registry.git"))
    return tmp_path / "clone"


def push(clone: Path, *arguments: str) -> str:
    """What is said about a push; nothing if it went through."""
    done = git(clone, "push", "origin", *arguments)
    return done.stderr if done.returncode else ""


def settings(clone: Path, **values: str) -> None:
    place = clone.parent / "registry.git"
    for name, value in values.items():
        assert not git(place, "config", f"mpgit.{name}", value).returncode


def test_requests_pass_and_grow(clone: Path) -> None:
    assert not push(clone, "HEAD:refs/heads/requests/bob/thing")
    git(clone, "commit", "--allow-empty", "--message", "more")
    assert not push(clone, "HEAD:refs/heads/requests/bob/thing")
    assert "only goes forward" in push(clone, "--force", "HEAD~1:refs/heads/requests/bob/thing")


def test_a_request_goes_only_where_it_is_kept(clone: Path) -> None:
    git(clone, "commit", "--allow-empty", "--message", "a request")
    request = "refs/heads/requests/bob/thing"
    assert not push(clone, f"HEAD:{request}")
    assert "when it is merged or closed" in push(clone, f":{request}")
    # What is closed holds something else, or is of somebody else.
    assert "when it is merged" in push(
        clone, f":{request}", "HEAD~1:refs/heads/closed/bob/thing+01234567"
    )
    assert "when it is merged" in push(
        clone, f":{request}", "HEAD:refs/heads/closed/eve/thing+01234567"
    )
    assert not push(clone, f":{request}", "HEAD:refs/heads/closed/bob/thing+01234567")
    assert "stays readable" in push(clone, ":refs/heads/closed/bob/thing+01234567")
    # A merged one.
    assert not push(clone, "HEAD~1:refs/heads/requests/bob/merged")
    assert not push(clone, ":refs/heads/requests/bob/merged")


def test_the_client_founds_merges_and_closes(clone: Path) -> None:
    refs = git(clone, "ls-remote", "origin").stdout
    assert "refs/heads/closed/anna/model-other-1+" in refs
    assert "requests/" not in refs
    assert (clone / "registry/models/anna/rule/1.yaml").exists()


def test_an_edited_record_is_refused(clone: Path) -> None:
    (clone / "registry/models/anna/rule/1.yaml").write_text("forged\n")
    git(clone, "commit", "--all", "--message", "forge")
    assert "only-additions" in push(clone, "HEAD:main")


def test_nothing_refused_is_kept(clone: Path) -> None:
    (clone / "registry/models/anna/rule/1.yaml").write_text("forged\n")
    git(clone, "commit", "--all", "--message", "forge")
    assert push(clone, "HEAD:main")
    forged = git(clone, "rev-parse", "HEAD").stdout.strip()
    assert git(clone.parent / "registry.git", "cat-file", "-e", forged).returncode


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


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/other",
        "refs/heads/requests/bob",
        "refs/heads/requests/Bob/thing",
        "refs/heads/requests/bob/thing/more",
        "refs/heads/requests/bob--x/thing",
        "refs/heads/requests/bob/-thing",
        f"refs/heads/requests/bob/{'x' * 65}",
        "refs/heads/closed/bob/thing",
        "refs/tags/v1",
        "refs/mpgit/checked",
        "refs/replace/0123456789012345678901234567890123456789",
    ],
)
def test_other_refs_are_refused(clone: Path, ref: str) -> None:
    said = push(clone, f"HEAD:{ref}")
    reasons = ("neither main nor a request", "does not name", "hidden ref")
    assert any(reason in said for reason in reasons), said


def test_branches_hold_commits(clone: Path) -> None:
    git(clone, "tag", "--annotate", "--message", "no commit", "v1")
    assert push(clone, "v1:refs/heads/requests/bob/tag")
    assert push(clone, "HEAD^{tree}:refs/heads/requests/bob/tree")


def test_without_mpgit_nothing_passes(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(clone, "commit", "--allow-empty", "--message", "harmless")
    assert not push(clone, "HEAD:main")
    git(clone, "commit", "--allow-empty", "--message", "harmless")
    monkeypatch.setenv("MPGIT", "/bin/true")  # the environment says nothing
    settings(clone, program="no-such-program")
    assert "is not complete" in push(clone, "HEAD:main")


def test_of_many_pushes_to_main_one_is_judged_at_a_time(clone: Path, tmp_path: Path) -> None:
    program, log = tmp_path / "slow", tmp_path / "log"
    program.write_text(f"#!/bin/sh\necho begin >>'{log}'\nsleep 0.5\necho end >>'{log}'\n")
    program.chmod(0o755)
    settings(clone, program=str(program))
    names = []
    for number in range(4):
        git(clone, "checkout", "-b", f"side-{number}", "origin/main")
        git(clone, "commit", "--allow-empty", "--message", f"one of many, {number}")
        names.append(f"side-{number}:main")
    with ThreadPoolExecutor(len(names)) as pool:
        said = list(pool.map(lambda name: push(clone, name), names))
    assert said.count("") == 1
    assert all("rejected" in each for each in said if each)
    lines = log.read_text().split()
    assert lines == ["begin", "end"] * (len(lines) // 2)


def test_a_participant_opens_only_so_many(clone: Path) -> None:
    for name in "abc":
        assert not push(clone, f"HEAD:refs/heads/requests/bob/{name}")
    assert "bob has more than 3" in push(clone, "HEAD:refs/heads/requests/bob/d")
    assert not push(clone, "HEAD:refs/heads/requests/ben/d")
    # One goes, another comes.
    assert not push(clone, ":refs/heads/requests/bob/a", "HEAD:refs/heads/requests/bob/d")
    settings(clone, maxBranches="5")
    assert "more than 5 branches" in push(clone, "HEAD:refs/heads/requests/eve/e")


def test_a_push_brings_only_so_much(clone: Path) -> None:
    for number in range(100):
        (clone / f"{number}.txt").write_text(f"{number}\n")
    git(clone, "add", ".")
    git(clone, "commit", "--message", "many")
    assert "more than 80 new files" in push(clone, "HEAD:refs/heads/requests/bob/many")


def test_a_push_is_measured_unpacked(clone: Path) -> None:
    settings(clone, maxBytes="1000000")
    (clone / "zeros").write_bytes(bytes(2_000_000))
    git(clone, "add", ".")
    git(clone, "commit", "--message", "a bomb")
    assert "bytes in one push; at most 1000000" in push(clone, "HEAD:refs/heads/requests/bob/bomb")


def test_a_folder_that_holds_something_is_left_alone(clone: Path) -> None:
    assert invoke(["server", "init", str(clone)]) == 2


def test_the_program_must_be_there(tmp_path: Path) -> None:
    words = ["server", "init", str(tmp_path / "r.git"), "--install-path", "/no/such/mpgit"]
    assert invoke(words) == 2
    assert not (tmp_path / "r.git").exists()
