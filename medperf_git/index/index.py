"""The index of a registry at one commit: opened, brought up to date, or made anew.

Everything that is wrong with it ends the same way: it is thrown away, which is said in one line,
and made from the records. Writers take turns; readers never wait. No verdict comes from it.

Example::

    with open_index(mirror, commit, identity=genesis, folder=home.index(genesis, FORMAT)) as index:
        index.engine.rows("SELECT count(*) FROM results")
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final, Self

from medperf_git.atomic import lock
from medperf_git.errors import CacheError, GitError, InputError
from medperf_git.git.stream import Landing
from medperf_git.index.doubts import mark_doubts
from medperf_git.index.duckdb_engine import Engine
from medperf_git.index.segments import (
    MANIFEST,
    Manifest,
    Segment,
    load,
    new_file,
    peek,
    save,
    segment_of,
    sweep,
)
from medperf_git.index.tables import COLUMNS, FORMAT, ORDER
from medperf_git.index.views import GONE, JUDGED, VIEWS, sources
from medperf_git.progress import Progress, untold
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import GitTree
from medperf_git.vcs import Repository
from medperf_git.version import __version__

Tell = Callable[[str], None]

_PATIENCE_SECONDS: Final = 3600
"""Somebody else may be making the index of a large registry."""
_TRIES: Final = 3
_TIER: Final = 8
"""So many segments of about one size become one."""
_LARGE: Final = 4096
"""Segments with more rows stay as they are: a merge never takes long."""


@dataclass(frozen=True)
class Index:
    """A registry's index at one commit, open for questions.

    Attributes:
        manifest: what it holds.
        engine: where the tables are.
        files: its segments.
    """

    manifest: Manifest
    engine: Engine
    files: tuple[Path, ...]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()

    def lay_out(self) -> None:
        """Makes the tables that people name (`views.TABLES`); our own questions need none.

        Raises:
            CacheError: the index can't be read.
        """
        for statement in VIEWS:
            self.engine.run(statement)


def open_index(
    repository: Repository,
    commit: str,
    *,
    identity: str,
    folder: Path,
    tell: Tell = lambda _line: None,
    progress: Progress = untold,
) -> Index:
    """The index at a commit, made or brought up to date first where it has to be.

    Args:
        repository: holds the registry.
        commit: the commit that questions are about; it must have been audited.
        identity: the registry's.
        folder: where the index lies.
        tell: called with a line where an index is thrown away.
        progress: called while it is made.

    Raises:
        GitError: an object can't be read.
        RegistryError: the history changes or removes records.
        InputError: the folder can't be written, or somebody is at work in it for too long.
        CacheError: even a fresh index can't be read.
    """
    maker = _Maker(repository, commit, identity, folder, tell, progress)
    for _ in range(_TRIES - 1):
        manifest = maker.current() or maker.made()
        try:
            return _opened(repository, manifest, folder)
        except CacheError as error:
            maker.refuse(manifest, error.message)
    return _opened(repository, maker.current() or maker.made(), folder)


def _opened(repository: Repository, manifest: Manifest, folder: Path) -> Index:
    files: dict[str, list[Path]] = {}
    for segment in manifest.segments:
        files.setdefault(segment.table, []).append(folder / segment.file)
    engine = Engine()
    try:
        for statement in (*sources({**files}), *GONE, JUDGED):
            engine.run(statement)
        if manifest.doubts:
            tree = GitTree(repository, repository.commit(manifest.commit).tree)
            snapshot = Snapshot(tree, manifest.commit)
            mark_doubts(engine, snapshot, repository)
    except BaseException:
        engine.close()
        raise
    return Index(manifest, engine, tuple(path for paths in files.values() for path in paths))


@dataclass(frozen=True)
class _Maker:
    """Makes an index, or brings one up to date."""

    repository: Repository
    commit: str
    identity: str
    folder: Path
    tell: Tell
    progress: Progress

    def current(self) -> Manifest | None:
        """The index that is there, if it is this commit's and whole."""
        try:
            before = peek(self.folder)
            if before is None or before.commit != self.commit:
                return None
            manifest = load(self.folder, self.identity)
        except CacheError:
            return None
        if manifest is None or manifest.commit != self.commit:
            return None
        if manifest.segments != before.segments:
            self._note(before, manifest)
        return manifest

    def _note(self, before: Manifest, manifest: Manifest) -> None:
        """Keeps how the files are now, so that they are not read against their digests again."""
        with suppress(CacheError, InputError), lock(self.folder / "lock"):
            if peek(self.folder) == before:
                save(self.folder, manifest)

    def made(self) -> Manifest:
        """An index of this commit."""
        with lock(self.folder / "lock", wait_seconds=_PATIENCE_SECONDS):
            if (found := self.current()) is not None:
                return found  # made while we waited
            try:
                before = load(self.folder, self.identity)
                if before is not None:
                    return self._updated(before)
            except CacheError as error:
                self._throw_away(error.message)
            return self._anew()

    def refuse(self, manifest: Manifest, why: str) -> None:
        """Throws an index away that could not be read, unless it has been replaced since."""
        with lock(self.folder / "lock", wait_seconds=_PATIENCE_SECONDS):
            if self.current() == manifest:
                self._throw_away(why)

    def _throw_away(self, why: str) -> None:
        """Removes what is there, and says so."""
        self.tell(f"the index is made anew: {why}")
        (self.folder / MANIFEST).unlink(missing_ok=True)
        for path in self.folder.glob("*.parquet"):
            path.unlink(missing_ok=True)

    def _anew(self) -> Manifest:
        for path in self.folder.glob(".build-*"):
            shutil.rmtree(path, ignore_errors=True)  # of somebody who was killed
        landings = self.repository.landed(self.commit)
        total = 0

        def step(commits: int) -> None:
            nonlocal total
            # Counted only where it takes long enough for a bar.
            total = total or sum(1 for _ in self.repository.first_parents(self.commit))
            self.progress(commits, total)

        return self._built(landings, progress=step)

    def _updated(self, before: Manifest) -> Manifest:
        try:
            new = self.repository.landed(self.commit, before.commit)
            first = next(new, None)
        except GitError:
            first = None
        if first is None or first.parent != before.commit:
            raise CacheError("it is of another history")
        return self._built(chain([first], new), before)

    def _built(
        self,
        landings: Iterable[Landing],
        before: Manifest | None = None,
        progress: Callable[[int], None] = lambda _commits: None,
    ) -> Manifest:
        """The index with what landed since."""
        # Start-up cost: nearly always the index is there, and only its files are read.
        from medperf_git.index.build import build  # noqa: PLC0415

        first = before.commits if before else 0
        built = build(self.repository, landings, self.folder, first, progress)
        segments = _compact(self.folder, [*(before.segments if before else ()), *built.segments])
        manifest = Manifest(
            format=FORMAT,
            mpgit=__version__,
            identity=self.identity,
            commit=self.commit,
            commits=built.commits,
            doubts=built.doubts or (before is not None and before.doubts),
            segments=tuple(segments),
        )
        save(self.folder, manifest)
        sweep(self.folder, manifest)
        return manifest


def _compact(folder: Path, segments: list[Segment]) -> list[Segment]:
    """The same rows in fewer files, so that many small updates do not make questions slow."""
    for table in COLUMNS:
        while True:
            tiers: dict[int, list[Segment]] = {}
            for each in segments:
                if each.table == table and each.rows < _LARGE:
                    tiers.setdefault((each.rows.bit_length() - 1) // 3, []).append(each)
            full = next((found for found in tiers.values() if len(found) >= _TIER), None)
            if full is None:
                break
            target = new_file(folder, table)
            with Engine() as engine:
                engine.merge([folder / each.file for each in full], target, order=ORDER[table])
            merged = segment_of(table, target, sum(each.rows for each in full))
            segments = [each for each in segments if each not in full] + [merged]
    return segments
