"""Finding files and trees by their digest: cache, then local folders, then URLs.

What is found is copied into the cache, verified there, and only then used: a local folder may
change under us, a copy of our own does not. Whether a URL is encrypted does not matter, the
digest decides. Does not know what the artefacts are for.

Example:
    >>> import hashlib, tempfile
    >>> from medperf_git.records.artefact import File
    >>> home = Path(tempfile.mkdtemp())
    >>> _ = (home / "w.json").write_bytes(b"{}")
    >>> digest = hashlib.sha256(b"{}").hexdigest()
    >>> weights = File(name="w.json", sha256=digest, size=2, path="w.json")
    >>> ArtefactStore(home / "cache", [home]).file(weights).read_bytes()
    b'{}'
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from medperf_git.atomic import explain, lock
from medperf_git.canonical.digest import fingerprint
from medperf_git.errors import ArtefactError, ExecutionError, MpgitError
from medperf_git.records.artefact import Artefact, Tree
from medperf_git.records.container import SourceImage
from medperf_git.runtime import download
from medperf_git.runtime.extract import Budget, extract_tar
from medperf_git.runtime.files import IGNORED_IN_SOURCES, digest_file, digest_tree, plain_files

_TAR_OVERHEAD: Final = 2048
"""Bytes that a tar archive needs for an entry besides its contents, generously."""
_SLACK: Final = 1024 * 1024
IN_USE: Final = "in-use"
"""The cache's lock: shared by everybody who uses it, held alone by who cleans it."""
_CLEANING_SECONDS: Final = 120.0


class ArtefactStore:
    """Artefacts by digest, at a site.

    Attributes:
        cache: `files/<sha256>` and `trees/<sha256>/`; private to the user.
        folders: where people keep artefacts (`--artefacts DIR`), searched in order.
    """

    def __init__(self, cache: Path, folders: Sequence[Path] = ()) -> None:
        self.cache = cache
        self.folders = tuple(folders)
        self._verified: set[Path] = set()
        self._holding = threading.Lock()
        self._held: ExitStack | None = None

    def hold(self) -> None:
        """Keep everything in the cache from being cleaned away while this store is in use.

        Raises:
            InputError: the cache is being cleaned, or can't be written.
        """
        with self._holding:
            if self._held is None:
                held = ExitStack()
                held.enter_context(
                    lock(self.cache / IN_USE, shared=True, wait_seconds=_CLEANING_SECONDS)
                )
                weakref.finalize(self, held.close)
                self._held = held

    def file(self, artefact: Artefact) -> Path:
        """A file in the cache that has the artefact's digest.

        Raises:
            ArtefactError: `artefact-missing` or `artefact-digest`.
        """
        return self._find(_FileSearch(self, artefact))

    def tree(self, artefact: Tree) -> Path:
        """A folder in the cache that has the artefact's fingerprint.

        Raises:
            ArtefactError: `artefact-missing` or `artefact-digest`.
        """
        return self._find(_TreeSearch(self, artefact))

    def holds(self, artefact: Artefact) -> bool:
        """Whether the cache has it; what it has is verified when it is used."""
        search = _TreeSearch if isinstance(artefact, Tree) else _FileSearch
        return search(self, artefact).kept.exists()

    def _find(self, search: _Search) -> Path:
        self.hold()
        kept = search.kept
        if kept in self._verified and kept.exists():
            return kept
        # The disk may have lost what was once verified: once a process, look again.
        if kept.exists() and search.digest(kept) != search.artefact.sha256:
            remove(kept)
        if not kept.exists():
            self._fetch(search)
        self._verified.add(kept)
        return kept

    def _fetch(self, search: _Search) -> None:
        problems: list[MpgitError] = []
        for source in search.sources():
            with self.scratch() as folder:
                try:
                    found = search.copy(source, folder)
                    search.verify(found, source)
                except ExecutionError as problem:
                    problems.append(problem)
                    continue
                keep(found, search.kept)
                return
        raise _not_found(search, problems)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A private folder on the cache's file system, gone afterwards."""
        self.hold()
        parent = self.cache / "tmp"
        try:
            parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = Path(tempfile.mkdtemp(dir=parent))
        except OSError as error:
            raise explain(error, parent) from error
        try:
            yield folder
        except OSError as error:
            raise explain(error, folder) from error
        finally:
            remove(folder)


def keep(found: Path, target: Path) -> None:
    """Move something verified to its place in the cache; who comes second, yields."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        found.rename(target)
    except OSError:
        if not target.exists():
            raise


def remove(path: Path) -> None:
    """Remove a file or a folder of our own, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


class _Search(ABC):
    """Where one artefact may be, how it is copied and how it is verified."""

    def __init__(self, store: ArtefactStore, artefact: Artefact) -> None:
        self.store = store
        self.artefact = artefact

    @property
    @abstractmethod
    def kept(self) -> Path:
        """Where the cache keeps it."""

    @abstractmethod
    def digest(self, path: Path) -> str:
        """The digest of what was found."""

    @abstractmethod
    def copy(self, source: str, folder: Path) -> Path:
        """Copies it from a source into a folder; returns the copy."""

    def sources(self) -> Iterator[str]:
        """Local paths first, then URLs, as text that an error can show."""
        if self.artefact.path is not None:
            for folder in self.store.folders:
                yield str(folder / self.artefact.path)
        yield from self.artefact.urls

    def verify(self, found: Path, source: str) -> None:
        actual = self.digest(found)
        if actual != self.artefact.sha256:
            raise ArtefactError(
                f"expected sha256 {self.artefact.sha256}, found {actual}",
                code="artefact-digest",
                place=source,
                advice="get the version that the record names, or ask its owner",
            )


class _FileSearch(_Search):
    @property
    def kept(self) -> Path:
        return self.store.cache / "files" / self.artefact.sha256

    def digest(self, path: Path) -> str:
        return digest_file(path)

    def copy(self, source: str, folder: Path) -> Path:
        target = folder / "file"
        download.fetch(source, target, self.artefact.size)
        target.chmod(0o400)
        return target


class _TreeSearch(_Search):
    artefact: Tree

    @property
    def kept(self) -> Path:
        return self.store.cache / "trees" / self.artefact.sha256

    @property
    def ignored(self) -> Collection[str]:
        return IGNORED_IN_SOURCES if isinstance(self.artefact, SourceImage) else ()

    def digest(self, path: Path) -> str:
        return fingerprint(digest_tree(path, ignore=self.ignored))

    def copy(self, source: str, folder: Path) -> Path:
        target = folder / "tree"
        target.mkdir()
        local = download.local_path(source)
        if local is not None and local.is_dir():
            copy_tree(local, target, self._budget(), self.ignored)
            return target
        archive = folder / "archive"
        room = 2 * self.artefact.size + self.artefact.files * _TAR_OVERHEAD + _SLACK
        download.fetch(source, archive, room, exact=False)
        extract_tar(archive, target, self._budget())
        return self._top(target)

    def _budget(self) -> Budget:
        # Folders are entries too; a tree has at most as many as its paths have parts.
        return Budget(size=self.artefact.size, entries=self.artefact.files * 8 + 64)

    def _top(self, target: Path) -> Path:
        """Archives often hold their files in one folder: that folder, if it is the tree."""
        inside = list(target.iterdir())
        single = len(inside) == 1 and inside[0].is_dir()
        if single and self.digest(inside[0]) == self.artefact.sha256:
            return inside[0]
        return target


def copy_tree(source: Path, target: Path, budget: Budget, ignore: Collection[str] = ()) -> None:
    """Copy the plain files of a folder into another, within a budget.

    Raises:
        ArtefactError: something in it is no plain file, or it is larger than expected.
    """
    for path in plain_files(source, ignore):
        relative = path.relative_to(source)
        budget.enter(str(relative))
        copy = target / relative
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        budget.spend(download.copy_file(path, copy, budget.size), str(relative))
        copy.chmod(0o500 if os.access(path, os.X_OK) else 0o400)


def _not_found(search: _Search, problems: list[MpgitError]) -> ArtefactError:
    artefact = search.artefact
    wrong = [problem for problem in problems if problem.code == "artefact-digest"]
    if wrong and isinstance(wrong[0], ArtefactError):
        return wrong[0]
    name = getattr(artefact, "name", None) or artefact.path or artefact.sha256[:12]
    looked = "; ".join(f"{problem.place}: {problem.message}" for problem in problems)
    if any(problem.code == "archive-too-large" for problem in problems):
        return ArtefactError(
            f"{name} (sha256 {artefact.sha256}): what was found is larger than the record says; "
            + looked,
            code="artefact-digest",
            place=artefact.path,
            advice="it changed since the record was made: restore it, or submit the next revision",
        )
    return ArtefactError(
        f"{name} (sha256 {artefact.sha256}) was not found; looked in the cache"
        + (f"; {looked}" if looked else "; nothing else says where it is"),
        code="artefact-missing",
        place=artefact.path,
        advice="name the folder that holds it: --artefacts DIR",
    )
