"""Results and leaderboards: which results count, in which order, and what is left out."""

from __future__ import annotations

from typing import Any

import pytest

from medperf_git.analysis.leaderboard import Leaderboard, leaderboard, mean
from medperf_git.analysis.results import results
from medperf_git.errors import InputError
from tests.support.simulator import (
    BENCHMARK,
    BENCHMARK_SIGNERS,
    COMMITTEE,
    DATASET,
    MODEL,
    REFERENCE_MODEL,
    RESULT,
    Simulator,
    full_registry,
)

TWO = COMMITTEE[:2]


def auroc(value: float, low: float = 0.0, high: float = 1.0) -> list[dict[str, Any]]:
    return [{"id": "auroc", "value": value, "low": low, "high": high, "n": 200}]


def add_model(registry: Simulator, model: str) -> None:
    owner = model.split("/", maxsplit=1)[0]
    registry.merge(registry.sign(registry.model(model), by=[owner]))
    association = registry.model_association(model)
    registry.merge(registry.sign(association, by=[owner, *TWO]))


def add_dataset(registry: Simulator, dataset: str) -> None:
    owner = dataset.split("/", maxsplit=1)[0]
    registry.merge(registry.sign(registry.dataset(dataset), by=[owner]))
    association = registry.dataset_association(dataset)
    registry.merge(registry.sign(association, by=[owner, *TWO]))


def measure(registry: Simulator, model: str, dataset: str, value: float) -> None:
    record = registry.result(dataset, model, metrics=auroc(value))
    registry.merge(registry.sign(record, by=[dataset.split("/", maxsplit=1)[0]]))


def withdraw(registry: Simulator, kind: str, record_id: str, *people: str) -> None:
    registry.merge(registry.sign(registry.withdrawal(kind, record_id), by=people))


def board(registry: Simulator) -> Leaderboard:
    return leaderboard(registry.snapshot, BENCHMARK)


@pytest.fixture
def registry() -> Simulator:
    return full_registry()


@pytest.mark.parametrize(
    ("values", "expected"), [([0.5], 0.5), ([0.25, 0.75], 0.5), ([0.1] * 10, 0.1)]
)
def test_a_mean_is_exact(values: list[float], expected: float) -> None:
    assert mean(values) == expected


def test_the_best_mean_over_datasets_is_first(registry: Simulator) -> None:
    add_dataset(registry, "ms/opt")
    add_model(registry, "maker/tree")
    for model, (ky, ms) in {
        MODEL: (0.6, 0.8),
        "maker/tree": (0.9, 0.6),
        REFERENCE_MODEL: (0.5, 0.7),
    }.items():
        measure(registry, model, DATASET, ky)
        measure(registry, model, "ms/opt", ms)
    found = board(registry)
    assert [(line.model, round(line.mean, 3)) for line in found.lines] == [
        ("maker/tree", 0.75),
        (MODEL, 0.7),
        (REFERENCE_MODEL, 0.6),
    ]
    assert found.datasets == (DATASET, "ms/opt")
    assert {line.cases for line in found.lines} == {400}
    assert found.lines[0].values["ms/opt"].value == 0.6
    # The older result of the net is superseded, which is nothing to explain.
    assert found.left_out == ()


def test_fewer_datasets_do_not_beat_more(registry: Simulator) -> None:
    add_dataset(registry, "ms/opt")
    measure(registry, REFERENCE_MODEL, DATASET, 0.6)
    measure(registry, REFERENCE_MODEL, "ms/opt", 0.6)
    measure(registry, MODEL, DATASET, 0.99)
    assert [line.model for line in board(registry).lines] == [REFERENCE_MODEL, MODEL]


def test_equal_means_are_ordered_by_id(registry: Simulator) -> None:
    add_model(registry, "maker/a")
    measure(registry, "maker/a", DATASET, 0.75)
    assert [line.model for line in board(registry).lines] == ["maker/a", MODEL]


GONE: dict[str, tuple[str, str, tuple[str, ...], str, str]] = {
    "the result": ("result", RESULT, ("ky",), "withdrawn", ""),
    "the dataset": ("dataset", DATASET, ("ky",), "outdated", "dataset ky/opt"),
    "the model": ("model", MODEL, ("maker",), "outdated", "model maker/net"),
    "the dataset's association": (
        "dataset-association", f"{BENCHMARK}/{DATASET}", ("ky",), "outdated",
        "dataset_association",
    ),
    "the model's association": (
        "model-association", f"{BENCHMARK}/{MODEL}", TWO, "outdated", "model_association",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GONE)
def test_what_rests_on_something_withdrawn_does_not_count(registry: Simulator, name: str) -> None:
    kind, record_id, people, state, reason = GONE[name]
    withdraw(registry, kind, record_id, *people)
    (row,) = results(registry.snapshot)
    assert row.state == state
    assert reason in row.reason
    found = board(registry)
    assert found.lines == ()
    assert [left.state for left in found.left_out] == [state]
    assert found.as_dict()["left_out"][0]["reason"] == row.reason


def test_a_new_benchmark_begins_empty(registry: Simulator) -> None:
    record = registry.benchmark(name="Another question")
    registry.merge(registry.sign(record, by=BENCHMARK_SIGNERS))
    found = board(registry)
    assert (found.benchmark.revision, found.lines) == (2, ())
    assert [row.state for row in found.left_out] == ["outdated"]


def test_every_result_is_listed_with_its_state(registry: Simulator) -> None:
    measure(registry, MODEL, DATASET, 0.6)
    measure(registry, REFERENCE_MODEL, DATASET, 0.7)
    rows = list(results(registry.snapshot, BENCHMARK))
    assert sorted((r.result.model.id, r.result.revision, r.state) for r in rows) == [
        (REFERENCE_MODEL, 1, "stands"),
        (MODEL, 1, "superseded"),
        (MODEL, 2, "stands"),
    ]
    assert list(results(registry.snapshot, "chair/other")) == []


@pytest.mark.parametrize("name", ["chair/none", "none/preterm"])
def test_no_such_benchmark(registry: Simulator, name: str) -> None:
    with pytest.raises(InputError, match=f"no benchmark {name} stands"):
        leaderboard(registry.snapshot, name)


def test_a_withdrawn_benchmark_has_no_leaderboard(registry: Simulator) -> None:
    withdraw(registry, "benchmark", BENCHMARK, "chair")
    with pytest.raises(InputError, match="stands"):
        board(registry)
