"""The simulator itself: cheap, complete, the same in every run, and the same in Git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from medperf_git.checks.check import check
from medperf_git.records.kinds import KINDS
from medperf_git.records.namespace import namespace
from medperf_git.store.paths import Place, locate
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import GitTree, MemoryTree
from medperf_git.vcs import Repository
from tests.support import simulator
from tests.support.in_git import export
from tests.support.patience import assert_cheap
from tests.support.simulator import full_registry, private_key


def test_a_full_registry_is_cheap() -> None:
    def anew() -> None:
        simulator._full.cache_clear()
        full_registry()

    assert_cheap(anew, 1)


def test_it_holds_every_kind_but_control_and_withdrawal() -> None:
    places = [locate(path) for path in full_registry().tree.files]
    kinds = {place.kind for place in places if isinstance(place, Place)}
    assert kinds == set(KINDS) - {"control", "withdrawal"}


def test_registries_do_not_share_state() -> None:
    one, two = full_registry(), full_registry()
    one.merge(one.sign(one.dataset("ky/other"), by=["ky"]))
    assert len(two.tree.files) < len(one.tree.files)
    assert len(two.history) < len(one.history)


def test_merge_takes_complete_requests_only() -> None:
    registry = full_registry()
    with pytest.raises(AssertionError):
        registry.merge(registry.sign(registry.dataset("ky/other")))


def test_runs_make_the_same_bytes() -> None:
    before = dict(full_registry().tree.files)
    simulator._full.cache_clear()
    private_key.cache_clear()
    assert full_registry().tree.files == before


def test_history_in_git_replays(tmp_path: Path) -> None:
    registry = full_registry()
    with Repository.create(tmp_path / "r.git") as repository:
        commits = export(registry, repository)
        before = Snapshot(MemoryTree({}))
        for oid in repository.first_parents(commits[-1]):
            after = Snapshot(GitTree(repository, repository.commit(oid).tree), oid)
            assert check(before, after).verdict == "complete"
            before = after
        assert before.identity == registry.snapshot.identity
        subprocess.run(
            ["git", "-C", str(repository.path), "fsck", "--strict"], check=True, capture_output=True
        )


def test_namespaces_are_all_different() -> None:
    """No signature fits another kind or another registry."""
    identities = "ab" * 32, "ac" * 32
    made = [namespace(kind, identity) for kind in KINDS for identity in identities]
    made += [namespace("root", identities[0], revision=1)]
    assert len(set(made)) == len(made)
    assert namespace("root", identities[0], revision=1) == namespace("root", "", revision=1)
    assert namespace("root", identities[0], revision=2) == f"mpgit-root-v1@{'ab' * 16}"
