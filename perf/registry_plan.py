"""Who does what in a made-up registry, before any byte is written: sizes, names and shares.

A registry that succeeds: a benchmark for about 1,800 results, each with 30–60 models on 30–50
datasets. `SEASON` benchmarks open at the same time; each season brings new people, and most of
its labs and hospitals took part before. Pure: the same number and seed give the same plan, and a
larger number only changes the last season of the smaller one.

Example:
    >>> plan = make_plan(5000, "seed")
    >>> sum(benchmark.results for season in plan for benchmark in season.benchmarks)
    5000
    >>> plan[0].benchmarks[1].id
    'institute-0/stroke-1'
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

ADMINISTRATORS: Final = ("ada", "alan", "amy")
SEASON: Final = 4
"""Benchmarks that are open at the same time."""
MODELS: Final = (30, 60)
DATASETS: Final = (30, 50)
TASKS: Final = ("preterm", "stroke", "sepsis", "glioma", "fracture", "melanoma", "retina", "aki")
_EXPERTS: Final = 5
_COMMITTEE: Final = 3
_NEWCOMERS: Final = 12
"""New labs, and new hospitals, in each season."""


@dataclass(frozen=True, slots=True)
class BenchmarkPlan:
    """One benchmark.

    Attributes:
        id: `institute/task`.
        number: counts all benchmarks, from 0.
        first: how many results the registry's earlier benchmarks have.
        results: how many it has; its last datasets may not have run all models.
        models: ids; the first is the reference model.
        datasets: ids.
        committee: three people, of whom two must sign.
    """

    id: str
    number: int
    first: int
    results: int
    models: tuple[str, ...]
    datasets: tuple[str, ...]
    committee: tuple[str, ...]

    @property
    def owner(self) -> str:
        """The institute."""
        return self.id.split("/")[0]


@dataclass(frozen=True, slots=True)
class SeasonPlan:
    """Benchmarks that are open at the same time, and who registers before them."""

    number: int
    newcomers: tuple[str, ...]
    benchmarks: tuple[BenchmarkPlan, ...]


def make_plan(results: int, seed: str) -> list[SeasonPlan]:
    """The seasons of a registry with so many results."""
    sizes = list(_sizes(results, seed))
    plan, first = [], 0
    for number, at in enumerate(range(0, len(sizes), SEASON)):
        season = _season(number, first, sizes[at : at + SEASON], seed)
        first += sum(benchmark.results for benchmark in season.benchmarks)
        plan.append(season)
    return plan


def _sizes(results: int, seed: str) -> Iterator[tuple[int, int, int]]:
    """Models, datasets and results of each benchmark."""
    chance = random.Random(f"{seed}/sizes")  # noqa: S311 (no secret)
    while results > MODELS[1] * DATASETS[1]:
        models, datasets = chance.randint(*MODELS), chance.randint(*DATASETS)
        yield models, datasets, models * datasets
        results -= models * datasets
    models = min(MODELS[1], math.isqrt(results - 1) + 1)
    yield models, -(-results // models), results


def _season(number: int, first: int, sizes: list[tuple[int, int, int]], seed: str) -> SeasonPlan:
    chance = random.Random(f"{seed}/season/{number}")  # noqa: S311 (no secret)
    institute = f"institute-{number}"
    experts = [f"expert-{number}-{index}" for index in range(_EXPERTS)]
    # Whoever came in earlier seasons is there; this season's register before it begins.
    known = range((number + 1) * _NEWCOMERS)
    benchmarks = []
    for index, (models, datasets, results) in enumerate(sizes):
        which = number * SEASON + index
        task = f"{TASKS[which % len(TASKS)]}-{which}"
        nets = [f"lab-{chance.choice(known)}/net-{which}-{n}" for n in range(1, models)]
        benchmarks.append(
            BenchmarkPlan(
                id=f"{institute}/{task}",
                number=which,
                first=first,
                results=results,
                models=(f"{institute}/baseline-{which}", *nets),
                datasets=tuple(
                    f"hospital-{chance.choice(known)}/set-{which}-{n}" for n in range(datasets)
                ),
                committee=tuple(chance.sample(experts, _COMMITTEE)),
            )
        )
        first += results
    new = [f"{what}-{n}" for n in known[-_NEWCOMERS:] for what in ("lab", "hospital")]
    return SeasonPlan(number, (institute, *experts, *new), tuple(benchmarks))
