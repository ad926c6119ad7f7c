"""What a client remembers of its audits: what is good, of main, and of this registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medperf_git.store.change import write_files
from medperf_git.vcs import Repository
from tests.support.in_git import export
from tests.support.simulator import Files, full_registry
from tests.support.site import REGISTRY, Site

WHO = "reader"
MAIN = "refs/heads/main"
AUTHOR = ("simulator", "simulator@example")


class Known:
    """A simulated registry on a host, and a client that knows it."""

    def __init__(self, folder: Path) -> None:
        self.registry = full_registry()
        self.site = Site(folder, self.registry.snapshot.identity)
        with Repository.create(self.site.host) as host:
            self.line = export(self.registry, host)
        words = ("registry", "add", REGISTRY, self.site.host, "--genesis", self.site.genesis)
        self.site.do(WHO, *words)

    @property
    def memory(self) -> Path:
        return self.site.home(WHO).audited(REGISTRY)

    def audit(self, *words: str, code: int = 0) -> Any:
        return self.site.do(WHO, "audit", "--json", *words, expect=code).json

    def push(self, files: Files, ref: str = MAIN, parent: str = "") -> str:
        """Somebody pushes a commit, good or not."""
        with Repository.open(self.site.host) as host:
            above = parent or host.resolve(MAIN)
            tree = write_files(host, host.commit(above).tree, files)
            oid = host.write_commit(tree, [above], "Pushed", AUTHOR)
            host.set_ref(ref, oid)
        return oid

    def dataset(self, name: str) -> Files:
        return self.registry.sign(self.registry.dataset(f"ky/{name}"), by=["ky"])

    def remembers(self, **changes: Any) -> None:
        """Writes the memory anew, with changes."""
        data = {**json.loads(self.memory.read_text()), **changes}
        self.memory.write_text(json.dumps({k: v for k, v in data.items() if v is not None}))


@pytest.fixture
def known(tmp_path: Path) -> Known:
    return Known(tmp_path)


def test_the_second_audit_says_what_the_first_has_read(known: Known) -> None:
    first = known.audit()
    assert (first["commits"], first["audited_before"]["commits"]) == (18, 0)
    oid = known.push(known.dataset("new"))
    known.site.do(WHO, "registry", "sync")
    second = known.audit()
    assert (second["commits"], second["records"], second["head"]) == (1, 1, oid)
    assert second["audited_before"] == {
        name: first[name] for name in ("head", "commits", "records")
    }
    text = known.site.do(WHO, "audit").out
    assert "ACCEPTED: 0 commits, 0 records" in text
    assert f"audited before: 19 commits, {first['records'] + 1} records (--full reads all)" in text
    assert known.audit("--full")["commits"] == 19


FOREIGN: dict[str, dict[str, Any]] = {
    "of another registry": {"genesis": "0" * 64},
    "by other rules": {"version": "0.0.0"},
    "of no version": {"version": None},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_memory_is_not_believed(known: Known, name: str) -> None:
    known.audit()
    known.remembers(**FOREIGN[name])
    report = known.audit()
    assert (report["commits"], report["audited_before"]["commits"]) == (18, 0)


DAMAGED: dict[str, Callable[[Known], object]] = {
    "cut off": lambda known: known.memory.write_text(known.memory.read_text()[:40]),
    "a list": lambda known: known.memory.write_text("[]"),
    "a word for a commit": lambda known: known.remembers(head="main"),
    "no head": lambda known: known.remembers(head=None),
    "words for a number": lambda known: known.remembers(commits="eighteen"),
    "truth for a number": lambda known: known.remembers(records=True),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_memory_is_named_and_full_does_without_it(known: Known, name: str) -> None:
    known.audit()
    DAMAGED[name](known)
    done = known.site.do(WHO, "audit", expect=2)
    assert str(known.memory) in done.err
    assert "next:" in done.err
    assert known.audit("--full")["commits"] == 18
    assert known.audit()["audited_before"]["commits"] == 18


def test_a_main_that_lacks_what_was_audited_is_refused(known: Known) -> None:
    known.audit()
    known.remembers(head="ab" * 20)
    assert known.audit(code=1)["error"]["code"] == "rewritten"
    assert known.audit("--full")["commits"] == 18


def test_what_a_memory_hides_comes_out_with_full(known: Known) -> None:
    known.audit()
    forged = {
        path: data.replace(b"cases: 211", b"cases: 212")
        for path, data in known.dataset("forged").items()
    }
    bad = known.push(forged)
    known.site.do(WHO, "registry", "sync", expect=1)
    for _ in range(2):  # a refused main is not remembered
        assert [failure["commit"] for failure in known.audit(code=1)["failures"]] == [bad]
    known.remembers(head=bad)
    assert known.audit("--full", code=1)["failures"][0]["commit"] == bad


def test_only_main_is_remembered(known: Known) -> None:
    known.audit()
    request = known.push(known.dataset("asked"), "refs/heads/requests/ky/asked")
    known.push(known.dataset("new"))
    known.site.do(WHO, "registry", "sync")
    before = known.memory.read_text()
    beside = known.audit("--head", "requests/ky/asked")
    assert (beside["head"], beside["commits"]) == (request, 1)
    older = known.audit("--head", known.line[4])
    assert (older["commits"], older["audited_before"]["commits"]) == (5, 0)
    assert known.memory.read_text() == before
    # A request that left main before what was audited is judged by itself, too.
    assert known.audit()["commits"] == 1
    assert known.audit("--head", "requests/ky/asked")["commits"] == 19


def test_trusting_a_commit_is_not_auditing_it(known: Known) -> None:
    assert known.audit("--from", known.line[-3])["commits"] == 2
    assert not known.memory.exists()
    assert known.audit()["commits"] == 18
