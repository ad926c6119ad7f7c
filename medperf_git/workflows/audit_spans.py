"""Spans of a history, judged one after the other or on all processors.

Whether a transition is good depends on its two trees alone, so that spans can be judged in any
order; they are handed out in theirs. A worker process opens the repository for itself and holds
what it has read within bounds: memory follows the number of workers, not the history.

Example:
    >>> [span.commits for span in spans(["a", "b", "c"], after=None, length=2)]
    [('a', 'b'), ('c',)]
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medperf_git.checks.check import check
from medperf_git.store.snapshot import Loads, loads, snapshot_at
from medperf_git.vcs import Repository
from medperf_git.workflows.audit_report import Failure

SPAN: Final = 250
"""Commits that are judged together."""
MANY: Final = 100
"""Commits from which on it is worth the while to let git read ahead."""
_AHEAD: Final = 2
"""Spans for each worker that wait to be judged, or to be handed out."""


@dataclass(frozen=True, slots=True)
class Span:
    """Commits along first parents.

    Attributes:
        after: the first parent of the first one; None where it has none.
        commits: the ids, oldest first.
    """

    after: str | None
    commits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a span.

    Attributes:
        head: its newest commit.
        commits: how many there are.
        records: how many records they added.
        failures: the transitions that are not good.
    """

    head: str
    commits: int
    records: int
    failures: tuple[Failure, ...]


def spans(commits: Sequence[str], after: str | None, length: int = SPAN) -> Iterator[Span]:
    """A history in spans."""
    for at in range(0, len(commits), length):
        yield Span(after if at == 0 else commits[at - 1], tuple(commits[at : at + length]))


def judge(repository: Repository, span: Span, known: Loads | None = None) -> Judged:
    """Judges each transition of a span.

    Args:
        repository: holds the commits.
        span: the span.
        known: what snapshots of this repository have read.

    Raises:
        GitError: an object is missing.
    """
    known = loads() if known is None else known
    records = 0
    failures = []
    ahead = len(span.commits) >= MANY
    before = snapshot_at(repository, span.after, known)
    with repository.reading_ahead(span.commits[-1], span.after) if ahead else nullcontext():
        for oid in span.commits:
            now = snapshot_at(repository, oid, known)
            report = check(before, now)
            records += len(report.records)
            if not report:
                failures.append(Failure(oid, report))
            before = now
    return Judged(span.commits[-1], len(span.commits), records, tuple(failures))


def judge_all(
    repository: Repository, parts: Iterator[Span], processes: int = 1
) -> Iterator[Judged]:
    """Judges spans, and hands them out in their order.

    Args:
        repository: holds the commits.
        parts: the spans.
        processes: how many work; with more than one, a script that calls this must guard its
            own beginning (``if __name__ == "__main__"``), as multiprocessing asks.

    Raises:
        GitError: an object is missing.
    """
    known = loads()
    if processes <= 1:
        for span in parts:
            yield judge(repository, span, known)
        return
    waiting: deque[tuple[Span, Future[Judged] | None]] = deque()

    def oldest() -> Judged:
        span, future = waiting.popleft()
        try:
            return judge(repository, span, known) if future is None else future.result()
        except BrokenProcessPool:  # somebody killed a worker; the work is not lost
            return judge(repository, span, known)

    # Not forked: this process may have threads (a progress bar, a reader of git's).
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, _start, (repository.path,))
    try:
        for span in parts:
            waiting.append((span, _submitted(pool, span)))
            if len(waiting) > _AHEAD * processes:
                yield oldest()
        while waiting:
            yield oldest()
    finally:
        pool.shutdown(cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, span: Span) -> Future[Judged] | None:
    try:
        return pool.submit(_judge, span)
    except BrokenProcessPool:
        return None


class _Worker:
    """What a worker process keeps from span to span."""

    repository: Repository
    known: Loads


def _start(path: Path) -> None:
    # Ctrl-C reaches the whole group: who asked for the audit ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    look_for_circles_less()
    _Worker.repository = Repository.open(path)
    _Worker.known = loads()


def look_for_circles_less() -> None:
    """For a process that reads records: many objects, and hardly one is part of a circle."""
    gc.set_threshold(20_000, 20, 100)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _judge(span: Span) -> Judged:
    return judge(_Worker.repository, span, _Worker.known)
