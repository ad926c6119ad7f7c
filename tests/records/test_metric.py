"""Metric values held against a benchmark's declaration."""

from __future__ import annotations

from typing import Any

import pytest

from medperf_git.records.metric import MetricDeclaration, MetricValue, conform

AUROC = MetricDeclaration(
    id="auroc",
    name="AUROC",
    path="auroc",
    unit="1",
    minimum=0.0,
    maximum=1.0,
    direction="higher",
    interval="required",
    standard_error=True,
)
GOOD: dict[str, Any] = {
    "id": "auroc",
    "value": 0.7,
    "low": 0.6,
    "high": 0.8,
    "standard_error": 0.1,
    "n": 9,
}

BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "above the range": ({"value": 1.5}, ["value", "interval"]),
    "below the range": ({"value": -0.1, "low": -0.2}, ["value", "low"]),
    "bound outside the range": ({"high": 1.1}, ["high"]),
    "value outside its interval": ({"value": 0.9}, ["interval"]),
    "interval turned around": ({"low": 0.8, "high": 0.6}, ["interval"]),
    "interval missing": ({"low": None, "high": None}, ["interval"]),
    "half an interval": ({"low": None}, ["interval"]),
    "standard error missing": ({"standard_error": None}, ["standard_error"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_values(name: str) -> None:
    changes, fields = BAD[name]
    value = MetricValue(**{**GOOD, **changes})
    assert [p.field for p in conform((AUROC,), (value,))] == [f"metrics.auroc.{f}" for f in fields]


def test_good_values() -> None:
    assert not list(conform((AUROC,), (MetricValue(**GOOD),)))
    for edge in (0.0, 1.0):
        value = MetricValue(**{**GOOD, "value": edge, "low": edge, "high": edge})
        assert not list(conform((AUROC,), (value,)))


def test_missing_extra_and_repeated_metrics() -> None:
    value = MetricValue(**GOOD)
    extra = MetricValue(**{**GOOD, "id": "brier"})
    assert [p.field for p in conform((AUROC,), ())] == ["metrics.auroc"]
    assert [p.field for p in conform((AUROC,), (value, extra))] == ["metrics.brier"]
    assert [p.field for p in conform((AUROC,), (value, value))] == ["metrics"]


def test_an_interval_that_nobody_declared() -> None:
    bare = AUROC.model_copy(update={"interval": "none"})
    assert [p.field for p in conform((bare,), (MetricValue(**GOOD),))] == ["metrics.auroc.interval"]
