"""What a client remembers of its audits: what is good, of main, and of this registry."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import medperf_git
from medperf_git.store.change import write_files
from medperf_git.vcs import Repository
from medperf_git.workflows import proven
from medperf_git.workflows.own_audit import audit_known
from medperf_git.workflows.proven import Note
from medperf_git.workflows.session import Session
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

    def synced(self) -> bytes:
        """A note on the first sync that says the same, and is our own."""
        home = self.site.home(WHO)
        path = home.synced(REGISTRY)
        note = Note(home, self.memory, self.site.genesis).recall()
        Note(home, path, self.site.genesis).write(note)
        return path.read_bytes()

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


UNBELIEVED: dict[str, Callable[[Known], object]] = {
    "cut off": lambda known: known.memory.write_text(known.memory.read_text()[:40]),
    "a list": lambda known: known.memory.write_text("[]"),
    "bytes": lambda known: known.memory.write_bytes(b"\xff\x00"),
    "a word for a commit": lambda known: known.remembers(head="main"),
    "another commit": lambda known: known.remembers(head=known.line[3]),
    "a commit of nowhere": lambda known: known.remembers(head="ab" * 20),
    "no head": lambda known: known.remembers(head=None),
    "words for a number": lambda known: known.remembers(commits="eighteen"),
    "truth for a number": lambda known: known.remembers(records=True),
    "one record more": lambda known: known.remembers(records=1000),
    "of another registry": lambda known: known.remembers(genesis="0" * 64),
    "by other rules": lambda known: known.remembers(rules="0" * 64),
    "of no rules": lambda known: known.remembers(rules=None),
    "without its code": lambda known: known.remembers(code=None),
    "a number for its code": lambda known: known.remembers(code=1),
    "by another key": lambda known: known.site.home(WHO).audit_key.write_bytes(b"k" * 32),
    "by no key": lambda known: known.site.home(WHO).audit_key.unlink(),
    "the note of another kind": lambda known: known.memory.write_bytes(known.synced()),
}


@pytest.mark.parametrize("name", UNBELIEVED)
def test_a_note_that_is_not_our_own_counts_for_nothing(known: Known, name: str) -> None:
    known.audit()
    UNBELIEVED[name](known)
    report = known.audit()
    assert (report["commits"], report["audited_before"]["commits"]) == (18, 0)
    assert known.audit()["audited_before"]["commits"] == 18


def test_other_rules_read_everything_again(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    known.audit()
    monkeypatch.setattr(proven, "rule_set", lambda: "0" * 64)
    home = known.site.home(WHO)
    with Session.open(home, None) as session:
        report, before = audit_known(session, session.main)
    assert (report.commits, before.commits) == (18, 0)
    assert Note(home, known.memory, known.site.genesis).recall().commits == 18


def test_what_judges_is_part_of_the_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any change of a module that a verdict rests on is another set of rules."""
    here = proven.rule_set()
    top = Path(medperf_git.__file__).parent
    for changed in (
        "checks/result_rules.py",
        "schemas/result.schema.json",
        "canonical/shape.py",
        "git/reader.py",
        "workflows/audit_spans.py",
    ):
        copy = tmp_path / changed.replace("/", "-") / "medperf_git"
        shutil.copytree(top, copy, ignore=shutil.ignore_patterns("__pycache__", "templates"))
        monkeypatch.setattr(proven, "TOP", copy)
        proven.rule_set.cache_clear()
        assert proven.rule_set() == here
        with (copy / changed).open("a") as file:
            file.write("\n")
        proven.rule_set.cache_clear()
        assert proven.rule_set() != here, changed
    monkeypatch.undo()
    proven.rule_set.cache_clear()


def test_a_main_that_lacks_what_was_audited_is_refused(known: Known) -> None:
    known.audit()
    note = Note(known.site.home(WHO), known.memory, known.site.genesis)
    note.write(replace(note.recall(), head="ab" * 20))
    assert known.audit(code=1)["error"]["code"] == "rewritten"
    assert known.audit("--full")["commits"] == 18


def test_a_poisoned_note_hides_nothing(known: Known) -> None:
    known.audit()
    forged = {
        path: data.replace(b"cases: 211", b"cases: 212")
        for path, data in known.dataset("forged").items()
    }
    bad = known.push(forged)
    known.site.do(WHO, "registry", "sync", expect=1)
    for _ in range(2):  # a refused main is not remembered
        assert [failure["commit"] for failure in known.audit(code=1)["failures"]] == [bad]
    known.remembers(head=bad, commits=19)
    for words in ((), ("--full",)):
        assert known.audit(*words, code=1)["failures"][0]["commit"] == bad


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
