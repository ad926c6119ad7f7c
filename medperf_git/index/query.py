"""Our own questions to the index: a listing of results, a leaderboard.

The answers are what ``analysis`` makes of the records themselves, only sooner. A test holds both
against each other.

Example::

    board = leaderboard(index, "anna/preterm")
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from medperf_git.analysis.leaderboard import Entry, Leaderboard, no_benchmark, ranked
from medperf_git.analysis.selection import SIGNS, STATES, Selection
from medperf_git.errors import CacheError
from medperf_git.index.index import Index
from medperf_git.index.tables import ORDER
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.metric import MetricValue

UNREADABLE: Final = "unreadable"
"""The state of a result whose record can't be read; no accepted history holds one."""
_COLUMNS: Final = (
    "path", "sha256", "state", "reason", "benchmark", "dataset", "model", "revision", "partial",
    "metrics",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class IndexedRow:
    """One result, as the index has it.

    Attributes:
        path: the record's path.
        sha256: the digest of its bytes.
        state: the name of its state.
        reason: why it is in that state.
        benchmark: the benchmark's id.
        dataset: the dataset's id.
        model: the model's id.
        revision: the result's revision.
        partial: whether the model failed on some of the cases.
        measured: its metrics, with None for what is absent; None where it can't be read.
        record: the whole record as JSON; None where it was not asked for.
    """

    path: str
    sha256: str
    state: str
    reason: str
    benchmark: str
    dataset: str
    model: str
    revision: int
    partial: bool
    measured: list[dict[str, Any]] | None
    record: str | None = None

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The metrics as plain data; what is absent is left out."""
        found = self.measured or []
        return [{name: x for name, x in each.items() if x is not None} for each in found]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {
            "path": self.path,
            "sha256": self.sha256,
            "state": self.state,
            "reason": self.reason,
            "record": json.loads(self.record) if self.record is not None else None,
        }


def results(
    index: Index, wanted: Selection, limit: int | None = None, *, whole: bool = True
) -> list[IndexedRow]:
    """Results by path.

    Args:
        index: the index.
        wanted: which.
        limit: how many; None for all.
        whole: with the whole records, for `IndexedRow.as_dict`.

    Raises:
        CacheError: the index can't be read.
    """
    conditions, values = _conditions(wanted)
    return _rows(index, conditions, values, limit, whole=whole)


def _rows(
    index: Index,
    conditions: Sequence[str],
    values: Sequence[Any],
    limit: int | None = None,
    *,
    whole: bool,
) -> list[IndexedRow]:
    columns = ", ".join((*_COLUMNS, "record") if whole else _COLUMNS)
    sql = f"SELECT {columns} FROM judged WHERE {' AND '.join(conditions)}"
    sql += f" ORDER BY {ORDER['results']}" + ("" if limit is None else f" LIMIT {int(limit)}")
    return [IndexedRow(*row) for row in index.engine.rows(sql, values)]


def _conditions(wanted: Selection) -> tuple[list[str], list[Any]]:
    """Conditions in SQL, and the values that they name."""
    # What can't be read is shown wherever something that no longer counts is.
    states = [*wanted.states, UNREADABLE] if wanted.states == STATES else list(wanted.states)
    found = ["state IN (SELECT unnest(?))"]
    values: list[Any] = [states]
    for column in ("benchmark", "model", "dataset"):
        if (value := getattr(wanted, column)) is not None:
            found.append(f"{column} = ?")
            values.append(value)
    for each in wanted.conditions:
        assert each.sign in SIGNS  # noqa: S101 (it becomes part of the SQL)
        found.append(f"len([m FOR m IN metrics IF m.id = ? AND m.value {each.sign} ?]) > 0")
        values += [each.metric, each.value]
    return found, values


def leaderboard(index: Index, benchmark: str) -> Leaderboard:
    """The leaderboard of the standing revision of a benchmark.

    Raises:
        InputError: no such benchmark stands.
        CacheError: the index can't be read.
    """
    science = _science(index, benchmark)
    columns = ", ".join(_COLUMNS[:-1])
    found = index.engine.rows(
        f"""SELECT {columns}, [m FOR m IN metrics IF m.id = ?], evaluated
        FROM judged WHERE benchmark = ? AND state <> 'superseded' ORDER BY {ORDER["results"]}""",
        [science.primary_metric, benchmark],
    )
    # Of a result that counts, a leaderboard knows the primary metric alone.
    rows = [(IndexedRow(*row), cases) for *row, cases in found]
    entries = [
        Entry(row, MetricValue.model_construct(**row.measured[0]), cases)
        for row, cases in rows
        if row.state == "stands" and row.measured
    ]
    left_out = []
    if any(row.state != "stands" for row, _ in rows):
        gone = ["benchmark = ?", "state NOT IN ('stands', 'superseded')"]
        left_out = _rows(index, gone, [benchmark], whole=True)
    return ranked(science, entries, left_out)


def _science(index: Index, benchmark: str) -> Benchmark:
    found = index.engine.rows(
        """SELECT record FROM raw_records r WHERE kind = 'benchmark' AND id = ?
        AND NOT withdrawal AND NOT EXISTS (FROM gone g
            WHERE g.kind = 'benchmark' AND g.id = r.id AND g.revision = r.revision)""",
        [benchmark],
    )
    if not found:
        raise no_benchmark(benchmark)
    if found[0][0] is None:
        raise CacheError(f"the benchmark {benchmark} can't be read")
    return Benchmark.model_validate_json(found[0][0])
