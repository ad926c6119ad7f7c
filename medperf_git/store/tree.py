"""Trees: what a check reads. One interface, over Git or over memory, and their difference.

Only objects are read, never a working folder. Comparing two trees skips what has one id on
both sides, so that its cost follows the change. Knows nothing of records.

Example:
    >>> base = MemoryTree({"registry/a.yaml": (0o100644, b"1")})
    >>> head = base.with_files({"registry/b.yaml": b"2"})
    >>> [(change.path, change.old) for change in difference(base, head)]
    [('registry/b.yaml', None)]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from medperf_git.canonical.digest import sha256_hex
from medperf_git.errors import RegistryError
from medperf_git.vcs import FILE_MODE, TREE_MODE, Repository, TreeEntry


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
        self._repository = repository
        self.oid = oid
        self._folders: dict[str, Mapping[str, TreeEntry]] = {}

    def entries(self, folder: str) -> Mapping[str, TreeEntry]:
        """The entries of a folder by name."""
        known = self._folders.get(folder)
        if known is None:
            oid = self._folder_oid(folder)
            found = self._repository.tree_entries(oid) if oid else ()
            known = {entry.name: entry for entry in found}
            if len(known) != len(found):
                raise RegistryError("one name stands twice in a tree", place=folder or "(top)")
            self._folders[folder] = known
        return known

    def _folder_oid(self, folder: str) -> str | None:
        if not folder:
            return self.oid
        parent, _, name = folder.rpartition("/")
        entry = self.entries(parent).get(name)
        return entry.oid if entry is not None and entry.is_tree else None

    def blob(self, entry: TreeEntry) -> bytes:
        """The bytes of a file's entry."""
        return self._repository.blob(entry.oid)

    def size(self, entry: TreeEntry) -> int:
        """The size of a file's entry in bytes."""
        return self._repository.blob_size(entry.oid)


class MemoryTree:
    """Files held in memory: for proposals that are not committed yet, and for tests."""

    def __init__(self, files: Mapping[str, tuple[int, bytes]]) -> None:
        self._files = dict(files)
        self._blobs: dict[str, bytes] = {}
        self._folders: dict[str, dict[str, TreeEntry]] = {"": {}}
        for path, (mode, payload) in sorted(self._files.items()):
            oid = sha256_hex(payload)
            self._blobs[oid] = payload
            folder, _, name = path.rpartition("/")
            self._folders.setdefault(folder, {})[name] = TreeEntry(name, mode, oid)
        for folder in sorted(self._folders, key=lambda f: f.count("/") + bool(f), reverse=True):
            self._hang(folder)

    def _hang(self, folder: str) -> None:
        """Enters a finished folder, with the digest of its entries, into its parent."""
        if not folder:
            return
        listing = repr(sorted((e.name, e.mode, e.oid) for e in self._folders[folder].values()))
        parent, _, name = folder.rpartition("/")
        missing = parent not in self._folders
        self._folders.setdefault(parent, {})[name] = TreeEntry(
            name, TREE_MODE, sha256_hex(listing.encode())
        )
        if missing:
            self._hang(parent)

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
        self._oids = {sha256_hex(data) for data in files.values()}

    def entries(self, folder: str) -> Mapping[str, TreeEntry]:
        """The entries of a folder by name."""
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


def difference(base: Tree, head: Tree, folder: str = "") -> Iterator[Change]:
    """Every file (or link, or submodule) that differs, by path; equal folders are skipped."""
    old, new = base.entries(folder), head.entries(folder)
    for name in sorted(old.keys() | new.keys()):
        left, right = old.get(name), new.get(name)
        if left == right:
            continue
        path = f"{folder}/{name}" if folder else name
        left_file = None if left is None or left.is_tree else left
        right_file = None if right is None or right.is_tree else right
        if left_file or right_file:
            yield Change(path, left_file, right_file)
        if (left and left.is_tree) or (right and right.is_tree):
            yield from difference(base, head, path)


def walk(tree: Tree, folder: str = "") -> Iterator[tuple[str, TreeEntry]]:
    """Every file (or link, or submodule) below a folder, by path."""
    for name, entry in sorted(tree.entries(folder).items()):
        path = f"{folder}/{name}" if folder else name
        if entry.is_tree:
            yield from walk(tree, path)
        else:
            yield path, entry
