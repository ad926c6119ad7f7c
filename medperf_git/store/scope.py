"""A part of a registry: what a client sees that reads only some benchmarks.

In scope are root, participants, control plane, the benchmarks with all below them, and single
folders of what they refer to. Nothing else may be asked for: a folder outside is an error and never
an empty one, so that no rule takes what was not fetched for something that is not there. Fetches
nothing; the tree lists only names in scope, so that a comparison stays within it.

Example:
    >>> scope = Scope(("anna/preterm",), frozenset({"registry/models/zoe/net"}))
    >>> scope.covers("registry/results/anna/preterm/ky/opt/zoe/net/1.yaml")
    True
    >>> scope.covers("registry/models/zoe/other/1.yaml"), scope.covers("README.md")
    (False, True)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from medperf_git.errors import GitError
from medperf_git.git.objects import TreeEntry
from medperf_git.store.paths import REGISTRY, Place, SignaturePlace, folder_of, kind_folder
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import GitTree
from medperf_git.vcs import Repository

_COMMON: Final = ("root", "participant", "control")
"""The kinds that decide who may do what: always in scope."""
_BENCHMARKS: Final = kind_folder("benchmark") + "/"
_APART: Final = frozenset({"models", "datasets"})
"""What a benchmark that is merely referred to does not bring: its associations."""


@dataclass(frozen=True)
class Scope:
    """What is in and what is not, by path.

    Attributes:
        benchmarks: ids of those that are read, with everything below them.
        folders: single records' folders beside them: what they refer to.
        common: whether root, participants and control plane are in; else the folders alone.
    """

    benchmarks: tuple[str, ...]
    folders: frozenset[str] = frozenset()
    common: bool = True

    @cached_property
    def wholes(self) -> frozenset[str]:
        """The folders that are in with all below them, whatever it is."""
        kinds = [kind_folder(kind) for kind in _COMMON] if self.common else []
        results = (f"{kind_folder('result')}/{name}" for name in self.benchmarks)
        return frozenset((*kinds, *map(_benchmark_folder, self.benchmarks), *results))

    @cached_property
    def ways(self) -> Mapping[str, frozenset[str]]:
        """The folders that lead to something in scope: each with the names that lead on."""
        found: dict[str, set[str]] = {}
        for target in (*self.wholes, *self.folders):
            at = target
            while at:
                parent, _, name = at.rpartition("/")
                found.setdefault(parent, set()).add(name)
                at = parent
        return {folder: frozenset(names) for folder, names in found.items()}

    def covers(self, path: str) -> bool:
        """Whether a file or folder is in scope; one that merely leads to something is not."""
        if path.partition("/")[0] != REGISTRY:
            return self.common and path != ""
        at = path
        while at:
            if at in self.wholes:
                return True
            if at in self.folders:
                below = path[len(at) + 1 :].partition("/")[0]
                return not (_is_benchmark(at) and below in _APART)
            at = at.rpartition("/")[0]
        return False

    def touches(self, path: str) -> bool:
        """Whether a change of a file is seen: in scope, or where a folder should lead to it."""
        return self.covers(path) or path in self.ways

    def plus(self, folders: frozenset[str] | set[str]) -> Scope:
        """The scope with more single folders.

        A record below a benchmark brings the benchmark itself: its folder must not merely lead on,
        else its own records would look as if they were not there.
        """
        above = {
            "/".join(folder.split("/")[:4])
            for folder in folders
            if folder.startswith(_BENCHMARKS) and folder.count("/") > 3  # noqa: PLR2004
        }
        return Scope(self.benchmarks, self.folders | folders | above, self.common)

    def refusal(self, path: str, *, listing: bool = False) -> GitError:
        """The error for what is asked for and was not fetched.

        Args:
            path: what was asked for.
            listing: whether all below it was.
        """
        return GitError(
            f"this client reads only {', '.join(self.benchmarks)} of this registry; "
            f"{'all of ' if listing else ''}{path} was not fetched",
            code="not-fetched",
            place=path,
            advice="name the benchmark where a command lets you, or fetch more: "
            "mpgit registry widen --benchmark OWNER/NAME, or --all",
        )


def _benchmark_folder(benchmark: str) -> str:
    return folder_of("benchmark", benchmark)


def _is_benchmark(folder: str) -> bool:
    return folder.startswith(_BENCHMARKS) and folder.count("/") == 3  # noqa: PLR2004


class ScopedTree:
    """A tree object of which only a scope is shown."""

    def __init__(
        self, repository: Repository, oid: str, scope: Scope, missed: set[str] | None = None
    ) -> None:
        """Reads nothing yet.

        Args:
            repository: holds the tree.
            oid: the tree's id.
            scope: what is shown.
            missed: takes every folder that was asked for and is not in scope.
        """
        self.repository = repository
        self.scope = scope
        self._real = GitTree(repository, oid)
        self._missed = missed if missed is not None else set()

    def entries(self, folder: str) -> Mapping[str, TreeEntry]:
        """The entries of a folder by name; of one that leads on, only those that do.

        Raises:
            GitError: `not-fetched`: the folder is not in scope.
        """
        if self.scope.covers(folder):
            return self._within(folder)
        ways = self.scope.ways.get(folder)
        if ways is None and folder:
            self._missed.add(folder)
            raise self.scope.refusal(folder)
        real = self._real.entries(folder)
        names = ways or frozenset()
        if not folder and self.scope.common:
            names = names.union(name for name in real if name != REGISTRY)
        return {
            name: real[name]
            for name in sorted(names)
            if name in real and self._shows(f"{folder}/{name}" if folder else name, real[name])
        }

    def _within(self, folder: str) -> Mapping[str, TreeEntry]:
        real = self._real.entries(folder)
        if folder not in self.scope.folders or not _is_benchmark(folder):
            return real
        return {
            name: entry
            for name, entry in real.items()
            if self.scope.covers(f"{folder}/{name}") or f"{folder}/{name}" in self.scope.ways
        }

    def _shows(self, path: str, entry: TreeEntry) -> bool:
        """Whether an entry is in scope, leads to what is, or stands where a folder should."""
        if not entry.is_tree or self.scope.covers(path):
            return True
        real = self._real.entries(path)
        if not real:
            return True  # a folder without entries: nothing may hide in its name
        ways = self.scope.ways.get(path, ())
        return any(name in real and self._shows(f"{path}/{name}", real[name]) for name in ways)

    def blob(self, entry: TreeEntry) -> bytes:
        """The bytes of a file's entry."""
        return self._real.blob(entry)

    def size(self, entry: TreeEntry) -> int:
        """The size of a file's entry in bytes."""
        return self._real.size(entry)


class ScopedSnapshot(Snapshot):
    """A registry of which a scope is known: what would list more than it raises `not-fetched`."""

    def __init__(self, tree: ScopedTree, commit: str | None = None) -> None:
        super().__init__(tree, commit)
        self._scope = tree.scope

    def _refuse_beyond(self, folder: str) -> None:
        if not self._scope.covers(folder):
            raise self._scope.refusal(folder, listing=True)

    def places(self, kind: str, below: str | None = None) -> Iterator[Place]:
        """As any snapshot's, within the scope.

        Raises:
            GitError: `not-fetched`: there may be more of them than are known here.
        """
        self._refuse_beyond(below or kind_folder(kind))
        return super().places(kind, below)

    def standing_places(self, kind: str, below: str | None = None) -> Iterator[Place]:
        """As any snapshot's, within the scope.

        Raises:
            GitError: `not-fetched`: there may be more of them than are known here.
        """
        self._refuse_beyond(below or kind_folder(kind))
        return super().standing_places(kind, below)

    def everything(self) -> Iterator[tuple[str, Place | SignaturePlace | None]]:
        """Never known here.

        Raises:
            GitError: `not-fetched`.
        """
        raise self._scope.refusal(REGISTRY, listing=True)
