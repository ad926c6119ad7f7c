"""Spans of a history: by one process or several the same verdict, whoever is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.store.home import Home
from medperf_git.vcs import Repository
from medperf_git.workflows import audit as audits
from medperf_git.workflows.audit import audit
from medperf_git.workflows.audit_report import AuditReport
from medperf_git.workflows.audit_spans import SPAN, Span, judge, judge_all, spans
from medperf_git.workflows.proven import Note
from tests.support.long_history import LongHistory, long_history
from tests.support.patience import until

COUNT = 6 * SPAN + 7


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> LongHistory:
    return long_history(tmp_path_factory.mktemp("spans") / "r.git", COUNT)


@pytest.fixture
def repository(past: LongHistory) -> Iterator[Repository]:
    with Repository.open(Path(past.folder)) as opened:
        yield opened


@pytest.mark.parametrize(("length", "wanted"), [(1, 7), (3, 3), (7, 1), (9, 1)])
def test_spans_are_the_whole_line(length: int, wanted: int) -> None:
    line = [f"{number:040x}" for number in range(7)]
    parts = list(spans(line, "before", length))
    assert len(parts) == wanted
    assert [oid for part in parts for oid in part.commits] == line
    assert [part.after for part in parts] == ["before", *(part.commits[-1] for part in parts[:-1])]
    assert list(spans([], "before", length)) == []


@pytest.mark.parametrize("bad", [False, True])
def test_several_processes_say_what_one_says(
    past: LongHistory, repository: Repository, *, bad: bool
) -> None:
    head = past.bad_head if bad else past.line[-1]
    seen: dict[int, list[tuple[int, int]]] = {1: [], 3: []}
    proven: dict[int, list[str]] = {1: [], 3: []}

    def by(processes: int) -> AuditReport:
        def progress(done: int, every: int) -> None:
            seen[processes].append((done, every))

        def good(oid: str, _commits: int, _records: int) -> None:
            proven[processes].append(oid)

        return audit(
            repository,
            head,
            genesis=past.genesis,
            progress=progress,
            proven=good,
            processes=processes,
        )

    reports = [by(1), by(3)]
    assert reports[0] == reports[1]
    assert reports[0].accepted is not bad
    assert (reports[0].commits, seen[1], proven[1]) == (COUNT, seen[3], proven[3])
    assert seen[1][-1] == (COUNT, COUNT)
    if bad:
        line = list(repository.first_parents(head))
        assert [line.index(oid) < line.index(past.bad) for oid in proven[1]] == [True] * len(
            proven[1]
        )
    else:
        assert proven[1][-1] == head


def test_a_killed_worker_loses_nothing(past: LongHistory, repository: Repository) -> None:
    wanted = [judge(repository, span) for span in spans(past.line, None)]
    found = []
    for number, judged in enumerate(judge_all(repository, spans(past.line, None), 2)):
        if number == 0:
            for child in multiprocessing.active_children():
                assert child.pid is not None
                os.kill(child.pid, signal.SIGKILL)
        found.append(judged)
    assert found == wanted


def test_workers_end_with_who_asked(past: LongHistory) -> None:
    code = f"""
import sys
from pathlib import Path
from medperf_git.vcs import Repository
from medperf_git.workflows.audit_report import AuditReport
from medperf_git.workflows.audit_spans import judge_all, spans
import multiprocessing
if __name__ == "__main__":
    repository = Repository.open(Path({past.folder!r}))
    line = list(repository.first_parents({past.line[-1]!r}))
    for _ in judge_all(repository, spans(line * 50, None), 2):
        print(*[child.pid for child in multiprocessing.active_children()], flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        workers = [int(word) for word in process.stdout.readline().split()]
        process.kill()
    assert len(workers) == 2
    until(lambda: not any(Path(f"/proc/{pid}/task").exists() for pid in workers))


def test_a_missing_object_is_said(past: LongHistory, repository: Repository) -> None:
    nowhere = Span(past.line[3], ("ab" * 20,))
    with pytest.raises(Exception, match="missing or damaged"):
        list(judge_all(repository, iter([nowhere]), 2))


# --- an interrupted first sync --------------------------------------------------------------


class StoppedError(Exception):
    """Somebody pressed Ctrl-C."""


def test_a_first_audit_goes_on_where_it_was(
    past: LongHistory, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medperf_git.workflows.proven._EVERY_SECONDS", 0)
    note = Note(Home(tmp_path), Home(tmp_path).synced("r"), past.genesis)

    def interrupt(done: int, _all: int) -> None:
        if done > COUNT // 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        audit(
            repository,
            past.line[-1],
            genesis=past.genesis,
            progress=interrupt,
            proven=note.keep(note.recall()),
        )
    known = note.recall()
    assert COUNT // 2 < known.commits < COUNT
    assert past.line[known.commits - 1] == known.head
    rest = audit(repository, past.line[-1], genesis=past.genesis, after=known.head)
    whole = audit(repository, past.line[-1], genesis=past.genesis)
    assert known.commits + rest.commits == COUNT == whole.commits
    assert known.records + rest.records == whole.records


def test_nothing_is_noted_behind_a_failure(
    past: LongHistory, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medperf_git.workflows.proven._EVERY_SECONDS", 0)
    note = Note(Home(tmp_path), Home(tmp_path).synced("r"), past.genesis)
    report = audit(repository, past.bad_head, genesis=past.genesis, proven=note.keep(note.recall()))
    assert not report.accepted
    line = list(repository.first_parents(past.bad_head))
    known = note.recall()
    assert not known.head or line.index(known.head) < line.index(past.bad)


def test_few_commits_start_no_workers(
    past: LongHistory, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def noted(opened: Repository, parts: Iterator[Span], processes: int) -> Iterator[object]:
        asked.append(processes)
        return judge_all(opened, parts, 1)

    monkeypatch.setattr(audits, "judge_all", noted)
    audit(repository, past.line[50], genesis=past.genesis, processes=4)
    audit(repository, past.line[-1], genesis=past.genesis, processes=4)
    assert asked == [1, 4]
