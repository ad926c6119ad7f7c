"""Leaderboards: a benchmark's models, ordered by its primary metric over all datasets.

The order is by the mean over datasets, each with equal weight, of the primary metric; models
that were run on fewer datasets stand below those run on more, since their means do not
compare. Every single value stands beside the mean, with its interval.

Example:
    >>> mean([0.5, 0.7])
    0.6
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from medperf_git.analysis.results import Shown, results
from medperf_git.errors import InputError
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.metric import MetricDeclaration, MetricValue
from medperf_git.store.snapshot import Snapshot


@dataclass(frozen=True)
class Entry:
    """A result that counts.

    Attributes:
        row: the result.
        value: its primary metric.
        cases: how many cases were evaluated.
    """

    row: Shown
    value: MetricValue
    cases: int


@dataclass(frozen=True)
class Line:
    """One model on the leaderboard.

    Attributes:
        model: its id.
        values: the primary metric by dataset.
        mean: the unweighted mean over those datasets.
        cases: evaluated cases in all.
        rows: the results that the line rests on.
    """

    model: str
    values: dict[str, MetricValue]
    mean: float
    cases: int
    rows: tuple[Shown, ...]

    @property
    def partial(self) -> tuple[str, ...]:
        """The datasets on whose cases the model failed in part."""
        return tuple(row.dataset for row in self.rows if row.partial)


@dataclass(frozen=True)
class Leaderboard:
    """A benchmark's standing results.

    Attributes:
        benchmark: the benchmark.
        metric: its primary metric.
        datasets: every dataset with a standing result, by id.
        lines: the models, best first.
        left_out: results that do not count, with the reason in each.
    """

    benchmark: Benchmark
    metric: MetricDeclaration
    datasets: tuple[str, ...]
    lines: tuple[Line, ...]
    left_out: tuple[Shown, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {
            "benchmark": self.benchmark.id,
            "revision": self.benchmark.revision,
            "metric": self.metric.id,
            "direction": self.metric.direction,
            "datasets": list(self.datasets),
            "models": [
                {
                    "model": line.model,
                    "mean": line.mean,
                    "cases": line.cases,
                    "partial": list(line.partial),
                    "values": {
                        name: value.model_dump(exclude_none=True)
                        for name, value in line.values.items()
                    },
                }
                for line in self.lines
            ],
            "left_out": [row.as_dict() for row in self.left_out],
        }


def mean(values: list[float]) -> float:
    """The arithmetic mean."""
    return fmean(values)


def leaderboard(snapshot: Snapshot, benchmark: str) -> Leaderboard:
    """The leaderboard of the standing revision of a benchmark.

    Raises:
        InputError: no such benchmark stands.
    """
    science = snapshot.benchmark(benchmark)
    if science is None:
        raise no_benchmark(benchmark)
    entries, left_out = [], []
    for row in results(snapshot, benchmark):
        if row.state == "stands":
            value = next(m for m in row.result.metrics if m.id == science.primary_metric)
            entries.append(Entry(row, value, row.result.denominator.evaluated))
        elif row.state != "superseded":
            left_out.append(row)
    return ranked(science, entries, left_out)


def no_benchmark(benchmark: str) -> InputError:
    """The error for a benchmark that does not stand."""
    return InputError(
        f"no benchmark {benchmark} stands",
        code="no-record",
        advice="`mpgit benchmark ls` lists them",
    )


def ranked(science: Benchmark, entries: Iterable[Entry], left_out: Iterable[Shown]) -> Leaderboard:
    """The leaderboard of a benchmark's results, wherever they were read.

    Args:
        science: the benchmark.
        entries: the results that count, by path.
        left_out: those that do not, by path.
    """
    metric = next(m for m in science.metrics if m.id == science.primary_metric)
    by_model: dict[str, list[Entry]] = {}
    for entry in entries:
        by_model.setdefault(entry.row.model, []).append(entry)
    lines = [_line(model, of_model) for model, of_model in by_model.items()]
    sign = -1 if metric.direction == "higher" else 1
    lines.sort(key=lambda line: (-len(line.values), sign * line.mean, line.model))
    datasets = sorted({name for line in lines for name in line.values})
    return Leaderboard(science, metric, tuple(datasets), tuple(lines), tuple(left_out))


def _line(model: str, entries: list[Entry]) -> Line:
    values = {entry.row.dataset: entry.value for entry in entries}
    return Line(
        model,
        dict(sorted(values.items())),
        mean([value.value for value in values.values()]),
        sum(entry.cases for entry in entries),
        tuple(entry.row for entry in entries),
    )
