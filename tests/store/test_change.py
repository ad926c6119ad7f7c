"""Commits from added files, and the merge of a request into main."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.errors import RegistryError
from medperf_git.git.objects import EMPTY_TREE, FILE_MODE
from medperf_git.store.change import changes_of, merge_trees, write_entries, write_files
from medperf_git.store.tree import GitTree, read, walk
from medperf_git.vcs import Repository

Files = dict[str, bytes]


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    with Repository.create(tmp_path / "r.git") as made:
        yield made


def commit(repository: Repository, files: Files, *parents: str, gone: tuple[str, ...] = ()) -> str:
    base = repository.commit(parents[0]).tree if parents else EMPTY_TREE
    tree = write_files(repository, base, files)
    tree = write_entries(repository, tree, dict.fromkeys(gone))
    return repository.write_commit(tree, parents, "x", ("x", "x@y"))


def contents(repository: Repository, tree: str) -> Files:
    there = GitTree(repository, tree)
    return {path: read(there, path) or b"" for path, _ in walk(there)}


def test_files_are_added_where_others_stay(repository: Repository) -> None:
    first = write_files(repository, EMPTY_TREE, {"a/b/c": b"1", "d": b"2"})
    second = write_files(repository, first, {"a/b/e": b"3", "a/f": b"4"})
    assert contents(repository, first) == {"a/b/c": b"1", "d": b"2"}
    assert contents(repository, second) == {"a/b/c": b"1", "a/b/e": b"3", "a/f": b"4", "d": b"2"}
    assert {entry.mode for _, entry in walk(GitTree(repository, second))} == {FILE_MODE}


def test_the_order_of_files_does_not_matter(repository: Repository) -> None:
    files = {"a": b"1", "a-b/c": b"2", "a.b": b"3", "b/a": b"4"}
    backwards = dict(reversed(files.items()))
    one = write_files(repository, EMPTY_TREE, files)
    assert write_files(repository, EMPTY_TREE, backwards) == one


def test_nothing_added_is_the_same_tree(repository: Repository) -> None:
    tree = write_files(repository, EMPTY_TREE, {"a/b": b"1"})
    assert write_files(repository, tree, {}) == tree
    assert write_files(repository, tree, {"a/b": b"1"}) == tree
    assert write_files(repository, EMPTY_TREE, {}) == EMPTY_TREE


def test_what_is_removed_leaves_no_empty_folder(repository: Repository) -> None:
    tree = write_files(repository, EMPTY_TREE, {"a/b/c": b"1", "d": b"2"})
    assert contents(repository, write_entries(repository, tree, {"a/b/c": None})) == {"d": b"2"}
    assert write_entries(repository, tree, {"a/b/c": None, "d": None}) == EMPTY_TREE
    assert write_entries(repository, tree, {"nothing/here": None}) == tree


def test_a_file_becomes_a_folder(repository: Repository) -> None:
    tree = write_files(repository, EMPTY_TREE, {"a": b"1"})
    assert contents(repository, write_files(repository, tree, {"a/b": b"2"})) == {"a/b": b"2"}


def test_a_request_is_put_on_top_of_a_main_that_moved(repository: Repository) -> None:
    base = commit(repository, {"r/1": b"1"})
    head = commit(repository, {"r/2": b"2", "s/1": b"3"}, base)
    main = commit(repository, {"r/3": b"4"}, base)
    merged = contents(repository, merge_trees(repository, main, head))
    assert merged == {"r/1": b"1", "r/2": b"2", "r/3": b"4", "s/1": b"3"}
    assert {change.path for change in changes_of(repository, base, head)} == {"r/2", "s/1"}


def test_the_same_addition_on_both_sides_is_no_conflict(repository: Repository) -> None:
    base = commit(repository, {"r/1": b"1"})
    head = commit(repository, {"r/2": b"2"}, base)
    main = commit(repository, {"r/2": b"2"}, base)
    assert merge_trees(repository, main, head) == repository.commit(main).tree


Sides = tuple[Files, tuple[str, ...], Files, tuple[str, ...], str]
CONFLICTS: dict[str, Sides] = {
    "added twice": ({"r/2": b"2"}, (), {"r/2": b"3"}, (), "r/2"),
    "changed twice": ({"r/1": b"2"}, (), {"r/1": b"3"}, (), "r/1"),
    "changed and removed": ({"r/1": b"2"}, (), {}, ("r/1",), "r/1"),
    "removed and changed": ({}, ("r/1",), {"r/1": b"2"}, (), "r/1"),
    "the record before its signature": (
        {"r/2.ky.sig": b"2", "r/2.yaml": b"2"}, (), {"r/2.ky.sig": b"3", "r/2.yaml": b"3"}, (),
        "r/2.yaml",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFLICTS)
def test_a_conflict_names_the_path(repository: Repository, name: str) -> None:
    ours, ours_gone, theirs, theirs_gone, path = CONFLICTS[name]
    base = commit(repository, {"r/1": b"1", "s": b"1"})
    head = commit(repository, ours, base, gone=ours_gone)
    main = commit(repository, theirs, base, gone=theirs_gone)
    with pytest.raises(RegistryError) as caught:
        merge_trees(repository, main, head)
    assert (caught.value.code, caught.value.place) == ("merge-conflict", path)


def test_a_branch_with_nothing_in_common_adds_all_of_it(repository: Repository) -> None:
    main = commit(repository, {"a": b"1"})
    head = commit(repository, {"b": b"2"})
    assert contents(repository, merge_trees(repository, main, head)) == {"a": b"1", "b": b"2"}
