"""Trees: what a check reads. One interface, over Git or over memory, and their difference.

Only objects are read, never a working folder. Comparing two trees skips what has one id on
both sides, so that its cost follows the change. Knows nothing of records.

Ids are Git's own everywhere, so that trees of different kinds compare.

Example:
    >>> base = MemoryTree({"registry/a.yaml": (0o100644, b"1")})
    >>> head = base.with_files({"registry/b.yaml": b"2"})
    >>> [(change.path, change.old) for change in difference(base, head)]
    [('registry/b.yaml', None)]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from medperf_git.errors import RegistryError
from medperf_git.git.objects import FILE_MODE, TREE_MODE, TreeEntry, blob_id, tree_id
from medperf_git.vcs import Repository

MAX_DEPTH: Final = 64
"""Folders within folders; records need nine."""
MOST_FOLDERS: Final = 20_000
"""Folders that a tree remembers: a walk through all of a large one must not fill the memory."""
MAX_ENTRIES: Final = 200_000
"""Entries that one comparison or walk looks at: a small Git tree can spell out to billions."""


class Tree(Protocol):
    """A tree of files at one moment."""

    def entries(self, folder: str) -> Mapping[str, TreeEntry]:
        """The entries of a folder by name; "" is the top; empty where there is none."""

    def blob(self, entry: TreeEntry) -> bytes:
        """The bytes of a file's entry."""

    def size(self, entry: TreeEntry) -> int:
        """The size of a file's entry in bytes."""


@dataclass(frozen=True, slots=True)
class Change:
    """One path whose entry differs between two trees."""

    path: str
    old: TreeEntry | None
    new: TreeEntry | None


class GitTree:
    """A tree object in a repository."""

    def __init__(self, repository: Repository, oid: str) -> None:
        self.repository = repository
        self.oid = oid
        self._folders: dict[str, Mapping[str, TreeEntry]] = {}

    def entries(self, folder: str) -> Mapping[str, TreeEntry]:
        """The entries of a folder by name."""
        known = self._folders.get(folder)
        if known is None:
            oid = self._folder_oid(folder)
            if len(self._folders) >= MOST_FOLDERS:
                self._folders.clear()
            known = self._folders[folder] = self.repository.folder(oid) if oid else {}
        return known

    def _folder_oid(self, folder: str) -> str | None:
        if not folder:
            return self.oid
        parent, _, name = folder.rpartition("/")
        entry = self.entries(parent).get(name)
        return entry.oid if entry is not None and entry.is_tree else None

    def blob(self, entry: TreeEntry) -> bytes:
        """The bytes of a file's entry."""
        return self.repository.blob(entry.oid)

    def size(self, entry: TreeEntry) -> int:
        """The size of a file's entry in bytes."""
        return self.repository.blob_size(entry.oid)


class MemoryTree:
    """Files held in memory: for proposals that are not committed yet, and for tests."""

    def __init__(self, files: Mapping[str, tuple[int, bytes]]) -> None:
        self._files = dict(files)
        self._blobs: dict[str, bytes] = {}
        self._folders: dict[str, dict[str, TreeEntry]] = {"": {}}
        for path, (mode, payload) in self._files.items():
            oid = blob_id(payload)
            self._blobs[oid] = payload
            folder, _, name = path.rpartition("/")
            self._folders.setdefault(folder, {})[name] = TreeEntry(name, mode, oid)
            while folder and (folder := folder.rpartition("/")[0]) not in self._folders:
                self._folders[folder] = {}
        # Deepest first: a folder's id needs its own folders' ids.
        for folder in sorted(self._folders, key=lambda f: f.count("/"), reverse=True):
            if folder:
                parent, _, name = folder.rpartition("/")
                oid = tree_id(self._folders[folder].values())
                self._folders[parent][name] = TreeEntry(name, TREE_MODE, oid)

    @property
    def files(self) -> Mapping[str, tuple[int, bytes]]:
        """Mode and bytes of every file by path."""
        return self._files

    def with_files(self, files: Mapping[str, bytes]) -> MemoryTree:
        """A copy with files added or replaced."""
        added = {path: (FILE_MODE, payload) for path, payload in files.items()}
        return MemoryTree({**self._files, **added})

    def entries(self, folder: str) -> Mapping[str, TreeEntry]:
        """The entries of a folder by name."""
        return self._folders.get(folder, {})

    def blob(self, entry: TreeEntry) -> bytes:
        """The bytes of a file's entry."""
        return self._blobs[entry.oid]

    def size(self, entry: TreeEntry) -> int:
        """The size of a file's entry in bytes."""
        return len(self._blobs[entry.oid])


class OverlayTree:
    """A tree with files laid over it, without writing anything."""

    def __init__(self, below: Tree, files: Mapping[str, bytes]) -> None:
        self._below = below
        self._above = MemoryTree({path: (FILE_MODE, data) for path, data in files.items()})
        self._oids = {blob_id(data) for data in files.values()}

    def entries(self, folder: str) -> Mapping[str, TreeEntry]:
        """The entries of a folder by name."""
        if self._covered(folder):
            return {}
        above = self._above.entries(folder)
        below = self._below.entries(folder)
        merged = dict(below)
        for name, entry in above.items():
            under = below.get(name)
            if entry.is_tree and under is not None and under.is_tree:
                # Another id than below, so that a comparison looks inside.
                entry = TreeEntry(name, TREE_MODE, f"{under.oid}+{entry.oid}")  # noqa: PLW2901
            merged[name] = entry
        return merged

    def _covered(self, folder: str) -> bool:
        """Whether a file above took the place of the folder or one that it is in."""
        parts = folder.split("/")
        return any(
            "/".join(parts[:count]) in self._above.files for count in range(1, len(parts) + 1)
        )

    def blob(self, entry: TreeEntry) -> bytes:
        """The bytes of a file's entry."""
        return (self._above if entry.oid in self._oids else self._below).blob(entry)

    def size(self, entry: TreeEntry) -> int:
        """The size of a file's entry in bytes."""
        return (self._above if entry.oid in self._oids else self._below).size(entry)


def find(tree: Tree, path: str) -> TreeEntry | None:
    """The entry at a path, file or folder, or None."""
    folder, _, name = path.rpartition("/")
    return tree.entries(folder).get(name)


def read(tree: Tree, path: str) -> bytes | None:
    """The bytes of the file at a path, or None where there is no plain file."""
    entry = find(tree, path)
    return tree.blob(entry) if entry is not None and entry.mode == FILE_MODE else None


def difference(base: Tree, head: Tree) -> Iterator[Change]:
    """Every file (or link, or submodule) that differs, by path; equal folders are skipped.

    A folder without entries counts as a file that was added or removed: Git can hold one, and
    nothing may hide in its name.

    Raises:
        RegistryError: too deep or too large to be looked at.
        GitError: a tree can't be read.
    """
    yield from _difference(base, head, "", _Budget())


class _Budget:
    """What is left of `MAX_ENTRIES`."""

    def __init__(self) -> None:
        self.left = MAX_ENTRIES

    def spend(self, folder: str, entries: int) -> None:
        self.left -= entries
        if self.left < 0:
            raise RegistryError(f"more than {MAX_ENTRIES} paths", code="too-large")
        if folder.count("/") >= MAX_DEPTH:
            raise RegistryError(f"folders more than {MAX_DEPTH} deep", code="too-large")


def _difference(base: Tree, head: Tree, folder: str, budget: _Budget) -> Iterator[Change]:
    old, new = base.entries(folder), head.entries(folder)
    if folder and not old and not new:
        # Only folders differ that hold nothing: report them by themselves.
        yield Change(folder, find_folder(base, folder), find_folder(head, folder))
        return
    gone = old.keys() - new.keys()
    names = sorted(gone.union(name for name, entry in new.items() if old.get(name) != entry))
    budget.spend(folder, len(names))
    for name in names:
        left, right = old.get(name), new.get(name)
        path = f"{folder}/{name}" if folder else name
        left_file = None if left is None or left.is_tree else left
        right_file = None if right is None or right.is_tree else right
        if left_file or right_file:
            yield Change(path, left_file, right_file)
        if (left and left.is_tree) or (right and right.is_tree):
            yield from _difference(base, head, path, budget)


def find_folder(tree: Tree, path: str) -> TreeEntry | None:
    """The folder's entry at a path, or None."""
    entry = find(tree, path)
    return entry if entry is not None and entry.is_tree else None


def walk(tree: Tree, folder: str = "") -> Iterator[tuple[str, TreeEntry]]:
    """Every file (or link, or submodule) below a folder, by path.

    Raises:
        RegistryError: too deep to be looked at.
    """
    if folder.count("/") >= MAX_DEPTH:
        raise RegistryError(f"folders more than {MAX_DEPTH} deep", code="too-large")
    for name, entry in sorted(tree.entries(folder).items()):
        path = f"{folder}/{name}" if folder else name
        if entry.is_tree:
            yield from walk(tree, path)
        else:
            yield path, entry
