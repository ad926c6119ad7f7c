"""Leaderboards: a benchmark's models, ordered by its primary metric over all datasets.

The order is by the mean over datasets, each with equal weight, of the primary metric; models
that were run on fewer datasets stand below those run on more, since their means do not
compare. Every single value stands beside the mean, with its interval.

Example:
    >>> mean([0.5, 0.7])
    0.6
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from medperf_git.analysis.results import ResultRow, results
from medperf_git.errors import InputError
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.metric import MetricDeclaration, MetricValue
from medperf_git.store.snapshot import Snapshot


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
    rows: tuple[ResultRow, ...]

    @property
    def partial(self) -> tuple[str, ...]:
        """The datasets on whose cases the model failed in part."""
        return tuple(r.result.dataset.id for r in self.rows if r.result.execution.partial)


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
    left_out: tuple[ResultRow, ...]

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
        raise InputError(
            f"no benchmark {benchmark} stands",
            code="no-record",
            advice="`mpgit benchmark ls` lists them",
        )
    metric = next(m for m in science.metrics if m.id == science.primary_metric)
    by_model: dict[str, list[ResultRow]] = {}
    left_out = []
    for row in results(snapshot, benchmark):
        if row.state == "stands":
            by_model.setdefault(row.result.model.id, []).append(row)
        elif row.state != "superseded":
            left_out.append(row)
    lines = [_line(model, rows, metric) for model, rows in by_model.items()]
    sign = -1 if metric.direction == "higher" else 1
    lines.sort(key=lambda line: (-len(line.values), sign * line.mean, line.model))
    datasets = sorted({name for line in lines for name in line.values})
    return Leaderboard(science, metric, tuple(datasets), tuple(lines), tuple(left_out))


def _line(model: str, rows: list[ResultRow], metric: MetricDeclaration) -> Line:
    values = {
        row.result.dataset.id: next(m for m in row.result.metrics if m.id == metric.id)
        for row in rows
    }
    return Line(
        model,
        dict(sorted(values.items())),
        mean([value.value for value in values.values()]),
        sum(row.result.denominator.evaluated for row in rows),
        tuple(rows),
    )
