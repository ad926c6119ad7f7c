"""Metrics: how a benchmark declares them, and the values that may leave a site.

``conform`` is the one place that holds values against a declaration; the client uses it
before signing, the check uses it on every record that carries metrics.

Example:
    >>> auroc = MetricDeclaration(id="auroc", name="AUROC", path="auroc", unit="1",
    ...     minimum=0.0, maximum=1.0, direction="higher", interval="required")
    >>> [p.field for p in conform((auroc,), (MetricValue(id="auroc", value=1.5, n=9),))]
    ['metrics.auroc.value', 'metrics.auroc.interval']
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medperf_git.records.base import Count, DottedPath, MetricId, Name, Number, Part, Text


class MetricDeclaration(Part):
    """One metric that a benchmark measures, and how a value is read and judged."""

    id: MetricId
    """The metric's id in results, e.g. `auroc`."""
    name: Name
    """The name, for people."""
    description: Text | None = None
    """How it is computed, with its source."""
    path: DottedPath
    """Where it stands in `results.yaml`: a number, or a mapping with value, low, high, n."""
    unit: Annotated[str, Field(min_length=1, max_length=40)]
    """The unit; `1` for a plain ratio."""
    minimum: Number
    """The smallest value that is possible."""
    maximum: Number
    """The largest value that is possible."""
    direction: Literal["higher", "lower", "none"]
    """Which values are better."""
    interval: Literal["required", "optional", "none"] = "optional"
    """Whether a confidence interval comes with it."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """The interval's confidence level."""
    standard_error: bool = False
    """Whether a standard error is required."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.minimum >= self.maximum:
            raise ValueError(f"minimum: {self.minimum} is not below maximum {self.maximum}")
        return self


class MetricValue(Part):
    """One measured metric."""

    id: MetricId
    """Which declared metric."""
    value: Number
    """The point estimate, in the declared unit."""
    low: Number | None = None
    """Lower bound of the interval at the declared confidence."""
    high: Number | None = None
    """Upper bound of the interval."""
    standard_error: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Standard error of the value."""
    n: Count
    """How many cases the value rests on."""


class Denominator(Part):
    """What became of every case of the dataset."""

    cases: Count
    """Cases in the dataset."""
    evaluated: Count
    """Cases that the metrics rest on."""
    failed: Count
    """Cases that the model gave no usable prediction for."""
    excluded: Count
    """Cases that the benchmark's rules leave out, such as an unknown label."""

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        total = self.evaluated + self.failed + self.excluded
        if total != self.cases:
            raise ValueError(f"cases: {self.cases}, but evaluated + failed + excluded = {total}")
        return self


@dataclass(frozen=True, slots=True)
class Problem:
    """A value that does not conform: which field, and why."""

    field: str
    message: str


def conform(
    declared: tuple[MetricDeclaration, ...], values: tuple[MetricValue, ...]
) -> Iterator[Problem]:
    """Every way in which `values` fails the declaration; nothing when it conforms."""
    by_id = {value.id: value for value in values}
    if len(by_id) != len(values):
        yield Problem("metrics", "one metric stands twice")
    known = {metric.id for metric in declared}
    for extra in sorted(set(by_id) - known):
        yield Problem(f"metrics.{extra}", "the benchmark does not declare it")
    for metric in declared:
        value = by_id.get(metric.id)
        if value is None:
            yield Problem(f"metrics.{metric.id}", "declared by the benchmark, but missing")
        else:
            yield from _conform_one(metric, value)


def _conform_one(metric: MetricDeclaration, value: MetricValue) -> Iterator[Problem]:
    place = f"metrics.{metric.id}"
    numbers = {"value": value.value, "low": value.low, "high": value.high}
    for name, number in numbers.items():
        if number is not None and not metric.minimum <= number <= metric.maximum:
            yield Problem(
                f"{place}.{name}", f"{number} is outside {metric.minimum}…{metric.maximum}"
            )
    yield from _conform_interval(metric, value, place)
    if metric.standard_error and value.standard_error is None:
        yield Problem(f"{place}.standard_error", "required by the benchmark, but missing")


def _conform_interval(
    metric: MetricDeclaration, value: MetricValue, place: str
) -> Iterator[Problem]:
    low, high = value.low, value.high
    if (low is None) != (high is None):
        yield Problem(f"{place}.interval", "only one of low and high is there")
    elif low is None or high is None:
        if metric.interval == "required":
            yield Problem(f"{place}.interval", "required by the benchmark, but missing")
    elif metric.interval == "none":
        yield Problem(f"{place}.interval", "the benchmark declares none")
    elif not low <= value.value <= high:
        yield Problem(f"{place}.interval", f"{value.value} is outside its interval {low}…{high}")
