"""From what landed to segments: records are read, become rows, and rows become Parquet files.

A handful is read here; a whole history by all processors, in parts, so that memory stays the
same however long it is. Knows nothing of manifests and locks: ``index`` does.

Example::

    segments = build(repository, repository.landed(head), folder)
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, Self

from medperf_git.git.stream import Landing
from medperf_git.index.changes import Incoming, incoming
from medperf_git.index.duckdb_engine import SORTED, Engine, parquet
from medperf_git.index.rows import row_of
from medperf_git.index.segments import Segment, new_file, segment_of
from medperf_git.index.tables import COLUMNS, ORDER, SHARED_OUT_BY
from medperf_git.runtime.machine import cpus
from medperf_git.vcs import Repository

Progress = Callable[[int], None]
"""Called with how many commits are done."""
PART: Final = 4_000
"""Records that one processor reads in one go; as many or fewer are read without others' help."""
_MEMORY_OF_A_PART: Final = "100MB"
_AHEAD: Final = 2
"""Parts in work or waiting, for each processor."""


@dataclass
class Part:
    """What one processor reads: records, and the commits that they came with.

    Attributes:
        records: what landed.
        commits: id, position and time of each commit.
    """

    records: list[Incoming] = field(default_factory=list)
    commits: list[tuple[str, int, int]] = field(default_factory=list)


@dataclass
class Built:
    """What came of it.

    Attributes:
        segments: the new files.
        head: the last commit; "" where nothing landed.
        commits: the last commit's position, plus one.
        doubts: whether a record names a compromised key.
    """

    segments: list[Segment] = field(default_factory=list)
    head: str = ""
    commits: int = 0
    doubts: bool = False


@dataclass(frozen=True)
class _Read:
    """The files that came of a part: table, path, rows."""

    files: list[tuple[str, Path, int]]
    head: str
    commits: int
    doubts: bool


def build(
    repository: Repository,
    landings: Iterable[Landing],
    folder: Path,
    first: int = 0,
    progress: Progress = lambda _commits: None,
) -> Built:
    """Segments with everything that landed.

    Args:
        repository: holds the blobs.
        landings: commits along first parents, oldest first.
        folder: where the segments go.
        first: the position of the first commit.
        progress: called now and then.

    Raises:
        GitError: the history or a blob can't be read.
        RegistryError: the history changes or removes records.
        CacheError: a segment can't be written.
    """
    parts = _parts(landings, first)
    some = list(islice(parts, 2))
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder) as scratch:
        work = Path(scratch)
        if len(some) < 2:  # noqa: PLR2004 (one part: not worth a process)
            done = [_read(repository, part, work) for part in some]
        else:
            done = list(_by_all(repository.path, chain(some, parts), work, progress))
        return _joined(done, folder)


def _parts(landings: Iterable[Landing], first: int) -> Iterator[Part]:
    part = Part()
    for position, landing in enumerate(landings, start=first):
        part.commits.append((landing.commit, position, landing.time))
        part.records += incoming(landing, position)
        if len(part.records) >= PART:
            yield part
            part = Part()
    if part.commits:
        yield part


def _by_all(path: Path, parts: Iterator[Part], work: Path, progress: Progress) -> Iterator[_Read]:
    """Every part's files, in the order of history."""
    processors = cpus()
    running: dict[Future[_Read], int] = {}
    done: dict[int, _Read] = {}
    following = 0
    # Not forked: threads of this process (git's helpers, DuckDB) would not come along.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processors, mp_context=context) as pool:
        try:
            for number, part in enumerate(parts):
                running[pool.submit(_read_alone, path, part, work)] = number
                if len(running) >= processors * _AHEAD:
                    _collect(running, done)
                while following in done:
                    progress(done[following].commits)
                    yield done.pop(following)
                    following += 1
            while running:
                _collect(running, done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for number in sorted(done):
        progress(done[number].commits)
        yield done[number]


def _collect(running: dict[Future[_Read], int], done: dict[int, _Read]) -> None:
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        done[running.pop(future)] = future.result()


def _read_alone(path: Path, part: Part, work: Path) -> _Read:
    """As `_read`, in a process of its own."""
    with Repository.open(path) as repository:
        return _read(repository, part, work, threads=1)


def _read(repository: Repository, part: Part, work: Path, threads: int = 0) -> _Read:
    doubts = False
    with tempfile.TemporaryDirectory(dir=work) as scratch, _Lines(Path(scratch)) as lines:
        for commit, position, time in part.commits:
            lines.write("commits", {"commit": commit, "position": position, "time": time})
        for table, row in _rows(repository, part.records):
            doubts = doubts or '"doubted_from":' in (row.get("record") or "")
            lines.write(table, row)
        lines.flush()
        files = []
        with Engine(_MEMORY_OF_A_PART, threads) as engine:
            for table, (source, count) in lines.files().items():
                target = new_file(work, table)
                engine.write_lines(source, COLUMNS[table], ORDER[table], target)
                files.append((table, target, count))
    head, position, _ = part.commits[-1]
    return _Read(files, head, position + 1, doubts)


def _rows(
    repository: Repository, records: Sequence[Incoming]
) -> Iterator[tuple[str, dict[str, Any]]]:
    wanted: list[str] = []
    for came in records:
        wanted += [came.blob] if came.blob else []
        wanted += [signature.blob for signature in came.signatures]
    blobs = repository.blobs(wanted)
    for came in records:
        payload = next(blobs) if came.blob else None
        signatures = {signature.blob: next(blobs) for signature in came.signatures}
        yield row_of(came, payload, signatures)


class _Lines:
    """Files of JSON lines, one a table, as far as there is something to write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, Any] = {}
        self._count: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()

    def write(self, table: str, row: dict[str, Any]) -> None:
        if table not in self._open:
            self._open[table] = (self._folder / f"{table}.json").open("w", encoding="utf-8")
        self._open[table].write(json.dumps(row, ensure_ascii=False) + "\n")
        self._count[table] = self._count.get(table, 0) + 1

    def flush(self) -> None:
        for file in self._open.values():
            file.flush()

    def files(self) -> dict[str, tuple[Path, int]]:
        return {name: (self._folder / f"{name}.json", self._count[name]) for name in self._open}


def _joined(done: list[_Read], folder: Path) -> Built:
    """What parts wrote, sorted together into as few segments as memory allows."""
    if not done:
        return Built()
    built = Built([], done[-1].head, done[-1].commits, any(read.doubts for read in done))
    with Engine() as engine:
        for table in COLUMNS:
            found = [each for read in done for each in read.files if each[0] == table]
            if len(found) == 1:
                _, path, count = found[0]
                built.segments.append(segment_of(table, path.rename(folder / path.name), count))
            elif found:
                paths = [path for _, path, _ in found]
                shares = engine.shares(parquet(paths), SHARED_OUT_BY[table], SORTED)
                for where, count in shares:
                    target = new_file(folder, table)
                    order = ORDER[table] if count <= SORTED else None
                    engine.merge(paths, target, where=where, order=order)
                    built.segments.append(segment_of(table, target, count))
    return built
