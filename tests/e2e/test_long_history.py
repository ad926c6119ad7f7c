"""Ten thousand transitions: one bad one is found, and a second audit reads only what is new."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medperf_git.atomic import lock
from tests.e2e.stories import MPGIT, mpgit
from tests.support.long_history import MAIN, LongHistory, long_history

COUNT = 10_000
NEW = 150
"""Transitions that come after the first audit."""
FORGOTTEN = 1000
"""Before the last so many, a client loses its results; nothing new refers to them."""
MEGABYTES = 300


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory, worker: str) -> LongHistory:
    """The history; whichever worker needs it first makes it. Nobody changes it."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker == "master" else base.parent
    with lock(shared / "long-history.lock", wait_seconds=600):
        return long_history(shared / "long-history", COUNT)


def git(folder: Path | str, *words: str, given: str = "") -> str:
    """Runs git; it must succeed."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words], input=given, capture_output=True, text=True, check=True
    )
    return done.stdout


def records(folder: Path | str, commit: str) -> int:
    """How many records a tree holds, by git alone."""
    paths = git(folder, "ls-tree", "-r", "--name-only", commit, "registry/").splitlines()
    return sum(path.endswith(".yaml") for path in paths)


_MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=sys.stderr)
sys.exit(code)
"""
"""In a small process of its own: a child's peak begins with its parent's size."""


def measured(home: Path, *words: str) -> tuple[int, Any, int]:
    """The command's exit code, what it says with `--json`, and the most memory it had, in MB."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", _MEASURED, MPGIT, *words, "--json"],
        env={**os.environ, "MPGIT_HOME": str(home)},
        capture_output=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout), int(done.stderr.split()[-1])


# --- one bad transition ---------------------------------------------------------------------


def test_one_bad_transition_of_ten_thousand_is_found(
    past: LongHistory, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    began = time.monotonic()
    code, report, megabytes = measured(
        tmp_path, "audit", "--git-dir", past.folder, "--head", past.bad_head,
        "--genesis", past.genesis,
    )  # fmt: skip
    seconds = time.monotonic() - began
    record_property("audit of 10,000 commits", f"{seconds:.1f} s, {megabytes} MB")
    assert (code, report["verdict"], report["commits"]) == (1, "refused", COUNT)
    assert report["records"] == records(past.folder, past.bad_head) > COUNT
    (failure,) = report["failures"]
    assert failure["commit"] == past.bad
    (finding,) = failure["findings"]
    assert (finding["code"], finding["path"]) == ("signature-fits", past.signature)
    assert past.path in finding["message"]
    assert megabytes < MEGABYTES


def test_it_is_said_to_people_with_the_next_step(past: LongHistory, tmp_path: Path) -> None:
    at = git(past.folder, "rev-list", "--first-parent", past.bad_head).split().index(past.bad)
    around = ("--from", f"{past.bad}~3", "--head", f"{past.bad_head}~{at - 3}")
    pinned = ("--genesis", past.genesis)
    done = mpgit("audit", "--git-dir", past.folder, *around, *pinned, home=tmp_path)
    assert done.returncode == 1, done.stderr
    commit, finding, verdict = done.stdout.splitlines()[:3]
    assert commit == f"✗ commit {past.bad[:12]}"
    assert finding.strip().startswith(f"{past.signature}: over {past.path}: ")
    assert finding.endswith("[signature-fits]")
    assert verdict.startswith("REFUSED: 6 commits")
    advised = re.search(r"next: .*administrators: (git .*)", done.stderr)
    assert advised is not None, done.stderr
    shown = subprocess.run(shlex.split(advised[1]), capture_output=True, text=True, check=True)
    assert past.bad in shown.stdout
    assert past.path in shown.stdout


# --- what is new ----------------------------------------------------------------------------


def forget_old_results(mirror: Path, before: str) -> None:
    """Takes the results that stood at a commit out of a repository, record and signature."""
    listed = git(mirror, "ls-tree", "-r", before, "registry/results/").splitlines()
    gone = {line.split()[2] for line in listed}
    assert len(gone) > COUNT // 2
    kept = set(git(mirror, "rev-list", "--objects", "--all", "--no-object-names").split()) - gone
    packs = mirror / "objects" / "pack"
    made = git(mirror, "pack-objects", "-q", str(packs / "pack"), given="\n".join(kept)).strip()
    for file in packs.iterdir():
        if file.stem != f"pack-{made}":
            file.unlink()
    git(mirror, "prune-packed")
    for oid in gone:
        (mirror / "objects" / oid[:2] / oid[2:]).unlink(missing_ok=True)


def test_a_second_audit_reads_only_what_is_new(past: LongHistory, tmp_path: Path) -> None:
    host, home = tmp_path / "registry.git", tmp_path / "home"
    shutil.copytree(past.folder, host, copy_function=os.link)
    git(host, "update-ref", "-d", "refs/bad/main")
    git(host, "update-ref", MAIN, past.line[-1 - NEW])

    def audit(*words: str, code: int = 0) -> Any:
        done = mpgit("audit", *words, "--json", home=home)
        assert done.returncode == code, done.stdout[-2000:] + done.stderr
        return json.loads(done.stdout)

    done = mpgit("registry", "add", "long", host, "--genesis", past.genesis, home=home)
    assert done.returncode == 0, done.stderr
    first = audit()
    assert (first["verdict"], first["commits"]) == ("accepted", COUNT - NEW)
    assert first["records"] == records(host, MAIN)
    assert first["audited_before"]["commits"] == 0

    git(host, "update-ref", MAIN, past.line[-1])
    assert mpgit("registry", "sync", home=home).returncode == 0
    mirror = home / "data" / "registries" / "long" / "mirror.git"
    forget_old_results(mirror, past.line[-1 - NEW - FORGOTTEN])
    second = audit()
    assert (second["verdict"], second["commits"]) == ("accepted", NEW)
    before = {name: first[name] for name in ("head", "commits", "records")}
    assert second["audited_before"] == before
    assert first["records"] + second["records"] == records(host, MAIN)
    third = audit()
    assert (third["commits"], third["audited_before"]["commits"]) == (0, COUNT)

    # What it did not read is not there to be read.
    full = audit("--full", "--head", past.line[COUNT // 20], code=1)
    assert full["commits"] == COUNT // 20 + 1
    findings = [finding for failure in full["failures"] for finding in failure["findings"]]
    assert {finding["code"] for finding in findings} == {"readable-tree", "signature-format"}
    assert all(finding["path"].startswith("registry/results/") for finding in findings)
    assert all("missing or damaged" in finding["message"] for finding in findings)
