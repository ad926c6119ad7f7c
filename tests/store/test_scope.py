"""A scope: what is shown of a tree, what is an error, and what a comparison sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.errors import GitError
from medperf_git.git.objects import EMPTY_TREE, TREE_MODE, TreeEntry
from medperf_git.store.change import write_entries, write_files
from medperf_git.store.scope import Scope, ScopedSnapshot, ScopedTree
from medperf_git.store.tree import difference
from medperf_git.vcs import Repository

SCOPE = Scope(("anna/preterm",), frozenset({"registry/models/zoe/net"}))
BENCHMARK = "registry/benchmarks/anna/preterm"
FILES = {
    "README.md": b"r",
    "registry/root/1.yaml": b"1",
    "registry/participants/anna/1.yaml": b"2",
    f"{BENCHMARK}/1.yaml": b"3",
    f"{BENCHMARK}/models/zoe/net/1.yaml": b"4",
    "registry/models/zoe/net/1.yaml": b"5",
    "registry/models/zoe/other/1.yaml": b"6",
    "registry/models/ky/net/1.yaml": b"7",
    "registry/results/anna/preterm/ky/opt/zoe/net/1.yaml": b"8",
    "registry/results/anna/stroke/ky/opt/zoe/net/1.yaml": b"9",
}


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    with Repository.create(tmp_path / "r.git") as made:
        yield made


def tree(repository: Repository, files: dict[str, bytes], scope: Scope = SCOPE) -> ScopedTree:
    return ScopedTree(repository, write_files(repository, EMPTY_TREE, files), scope)


def changed(base: ScopedTree, head: ScopedTree) -> set[str]:
    return {change.path for change in difference(base, head)}


def test_only_the_scope_is_shown(repository: Repository) -> None:
    shown = tree(repository, FILES)
    assert list(shown.entries("registry/models")) == ["zoe"]
    assert list(shown.entries("registry/models/zoe")) == ["net"]
    assert list(shown.entries("registry/results/anna")) == ["preterm"]
    assert list(shown.entries("")) == ["README.md", "registry"]
    seen = changed(tree(repository, {}), shown)
    hidden = {path for path in FILES if "/other/" in path or "/models/ky/" in path}
    assert seen == set(FILES) - hidden - {"registry/results/anna/stroke/ky/opt/zoe/net/1.yaml"}
    assert all(SCOPE.covers(path) for path in seen)


@pytest.mark.parametrize(
    "folder",
    ["registry/models/zoe/other", "registry/models/ky", "registry/results/anna/stroke/ky",
     "registry/mlcubes", "registry/datasets/ky/opt", "registry/benchmarks/anna/stroke"],
)  # fmt: skip
def test_what_is_outside_is_an_error_and_not_empty(repository: Repository, folder: str) -> None:
    missed: set[str] = set()
    oid = write_files(repository, EMPTY_TREE, FILES)
    with pytest.raises(GitError) as caught:
        ScopedTree(repository, oid, SCOPE, missed).entries(folder)
    assert caught.value.code == "not-fetched"
    assert "anna/preterm" in caught.value.message
    assert "mpgit registry widen" in str(caught.value.advice)
    assert missed == {folder}


def test_changes_elsewhere_are_not_seen(repository: Repository) -> None:
    more = {**FILES, "registry/models/ky/net/2.yaml": b"x", "registry/models/zoe/new/1.yaml": b"y"}
    assert changed(tree(repository, FILES), tree(repository, more)) == set()


def test_what_stands_where_a_folder_should_is_seen(repository: Repository) -> None:
    without = {path: data for path, data in FILES.items() if "/models/zoe/" not in path}
    before = tree(repository, without)
    after = tree(repository, {**without, "registry/models/zoe": b"a file"})
    assert changed(before, after) == {"registry/models/zoe"}
    # A folder that holds nothing: git can have one, and nothing may hide in its name.
    oid = write_files(repository, EMPTY_TREE, without)
    empty = {"registry/models/zoe": TreeEntry("zoe", TREE_MODE, repository.write_tree([]))}
    hollow = write_entries(repository, oid, empty)
    assert changed(before, ScopedTree(repository, hollow, SCOPE)) == {"registry/models/zoe"}


def test_a_benchmark_that_is_merely_referred_to_brings_no_associations(
    repository: Repository,
) -> None:
    scope = Scope(("anna/stroke",)).plus({f"{BENCHMARK}/models/zoe/net"})
    # Else its own records would look as if they were not there.
    assert BENCHMARK in scope.folders
    files = {**FILES, f"{BENCHMARK}/models/ky/net/1.yaml": b"x", f"{BENCHMARK}/odd/1": b"y"}
    shown = tree(repository, files, scope)
    assert set(shown.entries(BENCHMARK)) == {"1.yaml", "models", "odd"}
    assert list(shown.entries(f"{BENCHMARK}/models")) == ["zoe"]
    assert not scope.covers(f"{BENCHMARK}/datasets/ky/opt/1.yaml")
    with pytest.raises(GitError, match="was not fetched"):
        shown.entries(f"{BENCHMARK}/datasets/ky/opt")


def test_without_what_is_common_only_the_folders_count(repository: Repository) -> None:
    only = Scope((), SCOPE.folders, common=False)
    shown = tree(repository, FILES, only)
    assert changed(tree(repository, {}, only), shown) == {"registry/models/zoe/net/1.yaml"}
    assert not only.covers("README.md")


def test_no_listing_leaves_out_what_was_not_fetched(repository: Repository) -> None:
    snapshot = ScopedSnapshot(tree(repository, FILES))
    assert [place.id for place in snapshot.places("participant")] == ["anna"]
    below = "registry/results/anna/preterm"
    assert [place.revision for place in snapshot.places("result", below)] == [1]
    for listing in (
        lambda: snapshot.places("model"),
        lambda: snapshot.standing_places("result"),
        lambda: snapshot.places("result", "registry/results/anna"),
        snapshot.everything,
    ):
        with pytest.raises(GitError, match=r"all of registry.* was not fetched"):
            listing()
