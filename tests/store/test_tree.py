"""Trees: the three kinds agree, and a comparison's cost follows the change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medperf_git.checks.check import check
from medperf_git.errors import GitError, RegistryError
from medperf_git.git.objects import FILE_MODE, TREE_MODE, TreeEntry
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import (
    MAX_DEPTH,
    GitTree,
    MemoryTree,
    OverlayTree,
    Tree,
    difference,
    find,
    read,
    walk,
)
from medperf_git.vcs import Repository
from tests.support.in_git import write_files
from tests.support.simulator import full_registry

MODES = (FILE_MODE, 0o100755, 0o120000)
Modes = dict[str, tuple[int, bytes]]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    with Repository.create(tmp_path_factory.mktemp("trees") / "r.git") as made:
        yield made


def fits(files: Mapping[str, object]) -> bool:
    """Whether no file is also a folder."""
    return not any(other.startswith(path + "/") for path in files for other in files)


# Few names, some of which sort differently as files and as folders: `a`, `a.b`, `a/…`.
paths = st.lists(st.sampled_from(["a", "a.b", "a-b", "b", "é"]), min_size=1, max_size=4).map(
    "/".join
)
contents = st.tuples(st.sampled_from(MODES), st.sampled_from([b"", b"1", b"2"]))
trees = st.dictionaries(paths, contents, max_size=8).filter(fits)


def changes(base: Tree, head: Tree) -> list[tuple[str, int | None, int | None]]:
    return [
        (c.path, c.old.mode if c.old else None, c.new.mode if c.new else None)
        for c in difference(base, head)
    ]


def expected(base: Modes, head: Modes) -> list[tuple[str, int | None, int | None]]:
    """The difference of two dictionaries, by brute force."""
    return [
        (path, base[path][0] if path in base else None, head[path][0] if path in head else None)
        for path in sorted(base.keys() | head.keys(), key=lambda path: path.split("/"))
        if base.get(path) != head.get(path)
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(trees, trees)
def test_kinds_agree(repository: Repository, base: Modes, head: Modes) -> None:
    memory = MemoryTree(base), MemoryTree(head)
    git = [GitTree(repository, write_files(repository, files)) for files in (base, head)]
    wanted = expected(base, head)
    for left in (memory[0], git[0]):
        for right in (memory[1], git[1]):  # Git's own ids: kinds compare with each other
            assert changes(left, right) == wanted
    for tree, files in zip(git, (base, head), strict=True):
        assert [(p, (e.mode, tree.blob(e))) for p, e in walk(tree)] == sorted(
            files.items(), key=lambda pair: pair[0].split("/")
        )
        assert all(tree.size(e) == len(files[p][1]) for p, e in walk(tree))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(trees, st.dictionaries(paths, st.sampled_from([b"", b"1", b"3"]), max_size=4).filter(fits))
def test_overlay_is_what_a_commit_would_hold(
    repository: Repository, base: Modes, above: dict[str, bytes]
) -> None:
    kept = {
        path: file
        for path, file in base.items()
        if not any(
            path == new or path.startswith(new + "/") or new.startswith(path + "/") for new in above
        )
    }
    merged: Modes = {**kept, **{path: (FILE_MODE, data) for path, data in above.items()}}
    below = GitTree(repository, write_files(repository, base))
    overlay = OverlayTree(below, above)
    assert changes(below, overlay) == expected(base, merged)
    assert changes(overlay, MemoryTree(merged)) == []
    assert {path: (e.mode, overlay.blob(e)) for path, e in walk(overlay)} == merged
    assert all(overlay.size(e) == len(merged[path][1]) for path, e in walk(overlay))


@pytest.mark.parametrize(
    ("base", "head", "paths"),
    [
        ({"a": b"1"}, {"a/b": b"1"}, ["a", "a/b"]),
        ({"a/b": b"1"}, {"a": b"1"}, ["a", "a/b"]),
        ({"a/b/c": b"1", "a/d": b"1"}, {"a": b"1"}, ["a", "a/b/c", "a/d"]),
        ({"a": b"1"}, {"a.b": b"1"}, ["a", "a.b"]),
        ({"a/b": b"1"}, {"a/b": b"1"}, []),
    ],
)
def test_file_and_folder_replace_each_other(
    base: dict[str, bytes], head: dict[str, bytes], paths: list[str]
) -> None:
    left, right = MemoryTree({}).with_files(base), MemoryTree({}).with_files(head)
    assert [change.path for change in difference(left, right)] == paths


def test_an_empty_folder_is_seen(repository: Repository) -> None:
    empty = repository.write_tree([])
    inner = repository.write_tree([TreeEntry("note", TREE_MODE, empty)])
    tree = GitTree(repository, repository.write_tree([TreeEntry("a", TREE_MODE, inner)]))
    nothing = MemoryTree({})
    assert changes(nothing, tree) == [("a/note", None, TREE_MODE)]
    assert changes(tree, nothing) == [("a/note", TREE_MODE, None)]
    file = MemoryTree({"a/note": (FILE_MODE, b"")})
    assert sorted(changes(file, tree), key=str) == [
        ("a/note", FILE_MODE, None),
        ("a/note", None, TREE_MODE),
    ]


def test_only_plain_files_are_read() -> None:
    tree = MemoryTree({"a/b": (FILE_MODE, b"1"), "link": (0o120000, b"a/b")})
    assert read(tree, "a/b") == b"1"
    assert [read(tree, path) for path in ("link", "a", "nothing", "a/b/c")] == [None] * 4
    folder = find(tree, "a")
    assert folder is not None
    assert folder.is_tree


def test_too_deep_is_refused(repository: Repository) -> None:
    oid = repository.write_tree([TreeEntry("f", FILE_MODE, repository.write_blob(b""))])
    for _ in range(MAX_DEPTH + 1):
        oid = repository.write_tree([TreeEntry("a", TREE_MODE, oid)])
    tree = GitTree(repository, oid)
    with pytest.raises(RegistryError):
        list(difference(MemoryTree({}), tree))
    with pytest.raises(RegistryError):
        list(walk(tree))


def test_a_bomb_is_refused_in_little_time(repository: Repository) -> None:
    """Forty objects that spell out to 10^12 paths."""
    oid = repository.write_tree([TreeEntry("f", FILE_MODE, repository.write_blob(b""))])
    for _ in range(40):
        oid = repository.write_tree([TreeEntry(name, TREE_MODE, oid) for name in ("a", "b")])
    with pytest.raises(RegistryError, match="paths"):
        list(difference(MemoryTree({}), GitTree(repository, oid)))


def test_a_missing_folder_is_an_error(repository: Repository) -> None:
    tree = GitTree(repository, repository.write_tree([TreeEntry("a", TREE_MODE, "ab" * 20)]))
    with pytest.raises(GitError):
        list(walk(tree))


class Counting:
    """A tree that counts what is read from it."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.folders: set[str] = set()
        self.blobs = 0

    def entries(self, folder: str) -> Mapping[str, TreeEntry]:
        self.folders.add(folder)
        return self.tree.entries(folder)

    def blob(self, entry: TreeEntry) -> bytes:
        self.blobs += 1
        return self.tree.blob(entry)

    def size(self, entry: TreeEntry) -> int:
        return self.tree.size(entry)


def test_cost_follows_the_change_not_the_registry() -> None:
    registry = full_registry()
    files = registry.sign(registry.result(), by=["ky"])
    costs = []
    for more in (0, 10, 1000):
        others = {
            f"registry/datasets/site-{n}/data/1.yaml": b"other: record\n" for n in range(more)
        }
        others |= {f"registry/participants/site-{n}/1.yaml": b"x: y\n" for n in range(more)}
        base = registry.tree.with_files(others)
        trees = Counting(base), Counting(OverlayTree(base, files))
        assert check(Snapshot(trees[0]), Snapshot(trees[1])).verdict == "complete"
        costs.append([(len(tree.folders), tree.blobs) for tree in trees])
    assert costs[0] == costs[1] == costs[2]
