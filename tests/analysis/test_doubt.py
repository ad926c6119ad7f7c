"""A compromised key: what it signed from the doubted commit on shows as doubted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medperf_git.analysis.doubt import Doubts
from medperf_git.analysis.leaderboard import leaderboard
from medperf_git.analysis.results import results
from medperf_git.store.paths import Place
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import GitTree
from medperf_git.vcs import Repository
from tests.support.in_git import export, write_files
from tests.support.simulator import (
    BENCHMARK,
    COMMITTEE,
    DATASET,
    MODEL,
    RESULT,
    Simulator,
    full_registry,
    key_entry,
)


class World:
    """The full registry in Git, which can be moved on commit by commit."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.registry = full_registry()
        self.commits = export(self.registry, repository)

    def compromise(self, person: str, since: str) -> None:
        """The person revokes its first key, doubted from a commit on, and adds a second."""
        first = key_entry(person, revoked="compromised")
        first["revoked"]["doubted_from"] = since
        record = self.registry.participant(person, first, key_entry(person, "second"))
        self.merge(self.registry.sign(record, by=[f"{person}:first"], proofs=["second"]))

    def merge(self, files: dict[str, bytes]) -> None:
        self.registry.merge(files)
        tree = write_files(self.repository, dict(self.registry.tree.files))
        author = ("simulator", "simulator@example")
        self.commits.append(self.repository.write_commit(tree, self.commits[-1:], "Merge", author))

    @property
    def snapshot(self) -> Snapshot:
        head = self.commits[-1]
        return Snapshot(GitTree(self.repository, self.repository.commit(head).tree), head)

    def states(self) -> dict[str, tuple[str, str]]:
        return {row.result.record_id: (row.state, row.reason) for row in results(self.snapshot)}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Repository.create(tmp_path / "r.git") as repository:
        yield World(repository)


SINCE: dict[str, Callable[[World], str]] = {
    "from-the-results-own-commit": lambda world: world.commits[-1],
    "from-long-before-it": lambda world: world.commits[0],
}


@pytest.mark.parametrize("since", SINCE.values(), ids=SINCE)
def test_a_result_that_came_since_is_doubted(world: World, since: Callable[[World], str]) -> None:
    world.compromise("ky", since(world))
    state, reason = world.states()[RESULT]
    assert state == "doubted"
    assert "compromised key of ky" in reason


def test_a_result_that_came_before_stays_good(world: World) -> None:
    world.merge(world.registry.sign(world.registry.model("maker/later"), by=["maker"]))
    world.compromise("ky", world.commits[-1])
    assert world.states()[RESULT] == ("stands", "")


def test_a_doubted_result_does_not_count_until_it_is_issued_again(world: World) -> None:
    since = world.commits[-1]
    world.compromise("ky", since)
    board = leaderboard(world.snapshot, BENCHMARK)
    assert not board.lines
    assert [row.state for row in board.left_out] == ["doubted"]
    world.merge(world.registry.sign(world.registry.result(), by=["ky:second"]))
    states = {row.result.revision: row.state for row in results(world.snapshot)}
    assert states == {1: "superseded", 2: "stands"}
    assert [line.model for line in leaderboard(world.snapshot, BENCHMARK).lines] == [MODEL]


def test_what_rests_on_a_doubted_record_is_doubted(world: World) -> None:
    path = f"registry/datasets/{DATASET}/1.yaml"
    dataset_commit = world.repository.last_change(path, world.commits[-1])
    assert dataset_commit is not None
    world.compromise("ky", dataset_commit)
    reason = Doubts(world.snapshot).reason(Place("dataset", DATASET, 1))
    assert "compromised key of ky" in reason
    assert world.states()[RESULT][0] == "doubted"


def test_a_committee_that_is_still_complete_is_not_doubted(world: World) -> None:
    registry = world.registry
    record = registry.policy(results="approve")
    world.merge(registry.sign(record, by=COMMITTEE))
    world.compromise(COMMITTEE[0], world.commits[-1])
    assert Doubts(world.snapshot).reason(Place("policy", BENCHMARK, 2)) == ""


def test_a_committee_that_would_be_incomplete_is_doubted(world: World) -> None:
    world.merge(world.registry.sign(world.registry.policy(results="approve"), by=COMMITTEE[:2]))
    world.compromise(COMMITTEE[0], world.commits[-1])
    assert COMMITTEE[0] in Doubts(world.snapshot).reason(Place("policy", BENCHMARK, 2))


def test_without_history_everything_by_that_key_is_doubted(world: World) -> None:
    world.merge(world.registry.sign(world.registry.model("maker/later"), by=["maker"]))
    world.compromise("ky", world.commits[-1])
    bare = Snapshot(world.registry.tree)
    assert "ky" in Doubts(bare).reason(Place("dataset", DATASET, 1))


def test_a_lost_key_doubts_nothing(world: World) -> None:
    lost = key_entry("ky", revoked="lost")
    record = world.registry.participant("ky", lost, key_entry("ky", "second"))
    world.merge(world.registry.sign(record, by=["ky:first"], proofs=["second"]))
    assert world.states()[RESULT] == ("stands", "")


def test_a_registry_without_compromise_reads_no_signature() -> None:
    assert isinstance(full_registry(), Simulator)
    assert Doubts(full_registry().snapshot).reason(Place("dataset", DATASET, 1)) == ""
