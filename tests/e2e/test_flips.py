"""One changed byte in any record or signature: the audit refuses, and names the file."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.errors import RegistryError
from medperf_git.store.change import write_files
from medperf_git.store.paths import GENESIS
from medperf_git.store.tree import GitTree, find
from medperf_git.vcs import Repository
from medperf_git.workflows.audit import audit
from medperf_git.workflows.audit_report import AuditReport
from medperf_git.workflows.tree_audit import audit_tree
from tests.e2e.stories import Told, copy_of, files_of, mpgit

AUTHOR = ("somebody", "somebody@example")
POSITIONS = 3
"""How many bytes of each file are changed, one at a time."""
PARTS = ("root", "participants", "mlcubes", "models", "datasets", "benchmarks", "results")


class Forger:
    """Rewrites a copy of the registry."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.line = list(repository.first_parents("main"))
        self.head = self.line[-1]
        self.genesis = ""

    def tree(self, commit: str) -> str:
        return self.repository.commit(commit).tree

    def on_top(self, path: str, payload: bytes) -> str:
        """A commit on main that changes one file."""
        tree = write_files(self.repository, self.tree(self.head), {path: payload})
        return self.repository.write_commit(tree, [self.head], "Mend a typo", AUTHOR)

    def from_the_start(self, path: str, payload: bytes) -> str:
        """Main as it would be had the file always been so: every commit since is rewritten."""
        newest = ""
        for oid in self.line:
            commit = self.repository.commit(oid)
            if find(GitTree(self.repository, commit.tree), path) is None:
                newest = oid
                continue
            tree = write_files(self.repository, commit.tree, {path: payload})
            parents = [newest, *commit.parents[1:]] if newest else []
            newest = self.repository.write_commit(tree, parents, commit.message, AUTHOR)
        assert newest != self.head
        return newest


@pytest.fixture(scope="module")
def forger(sandbox_story: Told, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forger]:
    with copy_of(sandbox_story.host, tmp_path_factory.mktemp("forged")) as repository:
        made = Forger(repository)
        made.genesis = sandbox_story.snapshot().identity
        yield made


def flips(path: str, payload: bytes) -> Iterator[bytes]:
    """The file with one byte changed, at places of which one is in its last line."""
    chance = random.Random(path)  # noqa: S311 (which bytes are no secret)
    places = {chance.randrange(len(payload)) for _ in range(POSITIONS - 1)}
    for at in sorted(places | {len(payload) - 1 - chance.randrange(8)}):
        # Case and digits too: what a careless reader would take for the same.
        other = payload[at] ^ chance.choice([1, 2, 32, 128, chance.randrange(1, 256)])
        yield payload[:at] + bytes([other]) + payload[at + 1 :]


def named(report: AuditReport) -> set[str]:
    """Every file that the report names, in a path or in a message."""
    words: set[str] = set()
    for failure in report.failures:
        for finding in failure.findings():
            words |= {finding.path, *finding.message.replace(":", " ").split()}
    return words


def refusal(forger: Forger, head: str, *, tree_only: bool = False) -> set[str]:
    """The files that an audit of this head names; it must refuse it."""
    judge = audit_tree if tree_only else audit
    try:
        report = judge(forger.repository, head, genesis=forger.genesis)
    except RegistryError as error:  # another genesis: nothing below it was looked at
        return {error.place or ""}
    assert not report.accepted
    return named(report)


def files(told: Told, part: str) -> dict[str, bytes]:
    found = files_of(told.snapshot())
    chosen = {path: data for path, data in found.items() if path.split("/")[1] == part}
    assert chosen
    return chosen


def test_the_parts_are_the_whole_registry(sandbox_story: Told) -> None:
    assert {path.split("/")[1] for path in files_of(sandbox_story.snapshot())} == set(PARTS)


def test_the_forger_can_leave_everything_as_it_is(sandbox_story: Told, forger: Forger) -> None:
    # Rewritten without a change, the history is as good as it was: what is refused below is
    # refused for the changed byte alone.
    path = "registry/participants/ky/1.yaml"
    payload = files(sandbox_story, "participants")[path]
    head = forger.from_the_start(path, payload)
    assert audit(forger.repository, head, genesis=forger.genesis).accepted


@pytest.mark.parametrize("part", PARTS)
def test_a_changed_byte_on_top_of_main_is_refused_and_named(
    sandbox_story: Told, forger: Forger, part: str
) -> None:
    for path, payload in files(sandbox_story, part).items():
        for forged in flips(path, payload):
            assert path in refusal(forger, forger.on_top(path, forged)), path


@pytest.mark.parametrize("part", PARTS)
def test_a_changed_byte_in_the_finished_tree_is_refused_and_named(
    sandbox_story: Told, forger: Forger, part: str
) -> None:
    for path, payload in files(sandbox_story, part).items():
        for forged in flips(path, payload):
            head = forger.on_top(path, forged)
            assert path in refusal(forger, head, tree_only=True), path


@pytest.mark.parametrize("part", PARTS)
def test_a_byte_that_was_always_so_is_refused_and_named(
    sandbox_story: Told, forger: Forger, part: str
) -> None:
    for path, payload in files(sandbox_story, part).items():
        for forged in flips(path, payload):
            assert path in refusal(forger, forger.from_the_start(path, forged)), path


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_file_is_refused(sandbox_story: Told, forger: Forger, part: str) -> None:
    for path in files(sandbox_story, part):
        head = forger.on_top(path, b"")
        assert path in refusal(forger, head), path


@pytest.mark.parametrize("ending", ["yaml", "sig"])
def test_the_command_names_the_file_too(
    sandbox_story: Told, forger: Forger, tmp_path: Path, ending: str
) -> None:
    parts = ("results", "participants")
    for part in parts:
        found = files(sandbox_story, part)
        path = next(path for path in found if path.endswith(ending))
        forged = next(flips(path, found[path]))
        for head in (forger.on_top(path, forged), forger.from_the_start(path, forged)):
            for more in ((), ("--tree",)):
                done = mpgit(
                    "audit", "--git-dir", forger.repository.path, "--head", head,
                    "--genesis", forger.genesis, *more, home=tmp_path,
                )  # fmt: skip
                assert done.returncode == 1, done.stderr
                assert "REFUSED" in done.stdout
                assert path in done.stdout


def test_the_command_refuses_another_genesis(
    sandbox_story: Told, forger: Forger, tmp_path: Path
) -> None:
    payload = files(sandbox_story, "root")[GENESIS]
    head = forger.from_the_start(GENESIS, next(flips(GENESIS, payload)))
    done = mpgit(
        "audit", "--git-dir", forger.repository.path, "--head", head,
        "--genesis", forger.genesis, "--json", home=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["place"]) == ("genesis", GENESIS)
