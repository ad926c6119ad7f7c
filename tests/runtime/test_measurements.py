from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medperf_git.errors import ExecutionError
from medperf_git.records.benchmark import Benchmark, CasePaths
from medperf_git.records.metric import MetricDeclaration
from medperf_git.runtime.measurements import read_results, read_statistics


def metric(name: str, **more: Any) -> MetricDeclaration:
    fields = {
        "id": name, "name": name, "path": f"metrics.{name}", "unit": "1", "minimum": 0.0,
        "maximum": 1.0, "direction": "higher",
    }  # fmt: skip
    return MetricDeclaration.model_validate({**fields, **more})


FIELDS: dict[str, Any] = {
    "metrics": (metric("auroc", interval="required", standard_error=True), metric("brier")),
    "case_paths": CasePaths(),
    "minimum_cases": 10,
}
BENCHMARK = Benchmark.model_construct(**FIELDS)
GOOD = """
metrics:
  auroc: {value: 0.75, low: 0.5, high: 0.9, standard_error: 0.1, n: 18}
  brier: 0.25
cases: {total: 25, evaluated: 20, failed: 2, excluded: 3}
patients: [anna, ben]   # stays at the site
"""


def read(tmp_path: Path, text: str | bytes, **more: Any) -> Any:
    path = tmp_path / "results.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_results(path, BENCHMARK, **more)


def test_only_what_is_declared_is_taken(tmp_path: Path) -> None:
    values, denominator = read(tmp_path, GOOD)
    auroc, brier = values
    assert (auroc.value, auroc.low, auroc.high, auroc.n) == (0.75, 0.5, 0.9, 18)
    assert (brier.value, brier.low, brier.n) == (0.25, None, 20)
    assert (denominator.cases, denominator.failed) == (25, 2)


def test_whole_numbers_and_negative_zero_are_numbers(tmp_path: Path) -> None:
    values, _ = read(tmp_path, GOOD.replace("brier: 0.25", "brier: 1"))
    assert isinstance(values[1].value, float)
    values, _ = read(tmp_path, GOOD.replace("brier: 0.25", "brier: -0.0"))
    assert str(values[1].value) == "0.0"


@pytest.mark.parametrize(
    ("old", "new", "message", "field"),
    [
        ("0.25", ".nan", "not a finite number", "metrics.brier"),
        ("0.25", ".inf", "not a finite number", "metrics.brier"),
        ("0.25", "1e400", "text where a number", "metrics.brier"),
        ("0.25", "1.0e+400", "not a finite number", "metrics.brier"),
        ("0.25", "9" * 400, "too large", "metrics.brier"),
        ("0.25", "'0.25'", "text where a number", "metrics.brier"),
        ("0.25", "true", "true or false where a number", "metrics.brier"),
        ("0.25", "[0.25]", "a list where a number", "metrics.brier"),
        ("0.25", "null", "nothing where a number", "metrics.brier"),
        ("0.25", "{mean: 0.25}", "no value", "metrics.brier.value"),
        ("0.25", "{value: {a: 1}}", "a mapping where a number", "metrics.brier.value"),
        ("0.25", "2025-01-01", "text where a number", "metrics.brier"),
        ("brier", "brie", "metric brier is missing", "metrics.brier"),
        ("0.25", "1.5", "outside", "metrics.brier.value"),
        ("0.75", "-0.5", "outside", "metrics.auroc.value"),
        ("0.75", "0.95", "outside its interval", "metrics.auroc.interval"),
        (" low: 0.5,", "", "only one of", "metrics.auroc.interval"),
        (" low: 0.5, high: 0.9,", "", "required", "metrics.auroc.interval"),
        (" standard_error: 0.1,", "", "required", "metrics.auroc.standard_error"),
        ("standard_error: 0.1", "standard_error: -1", "greater than or equal", "metrics.auroc"),
        ("n: 18", "n: 1.5", "whole number", "metrics.auroc.n"),
        ("n: 18", "n: -1", "can't be a number of cases", "metrics.auroc.n"),
        ("evaluated: 20", "evaluated: 21", "evaluated + failed + excluded = 26", "cases.total"),
        ("failed: 2,", "", "number of cases is missing", "cases.failed"),
        ("failed: 2", "failed: two", "text where a whole number", "cases.failed"),
        ("total: 25", "total: true", "whole number", "cases.total"),
        ("total: 25", f"total: {2**60}", "can't be a number", "cases.total"),
    ],
)
def test_what_is_no_measurement_is_refused_where_it_stands(
    tmp_path: Path, old: str, new: str, message: str, field: str
) -> None:
    assert old in GOOD
    with pytest.raises(ExecutionError, match=message.replace("+", r"\+")) as caught:
        read(tmp_path, GOOD.replace(old, new))
    assert caught.value.code == "bad-results"
    assert caught.value.place == f"{tmp_path / 'results.yaml'}: {field}"


@pytest.mark.parametrize(
    "payload",
    [b"", b"just text", b"- 1", b"a: [", b"\xff\xfe", b"a: &x 1\nb: *x\n", b"a: 1\na: 2\n",
     b"!!python/object:os.system x", b"1: 2", b"a: " + b"x" * 1024 * 1024, b"[" * 100_000,
     b"a: !!binary x"],
)  # fmt: skip
def test_what_is_no_mapping_is_refused(tmp_path: Path, payload: bytes) -> None:
    with pytest.raises(ExecutionError) as caught:
        read(tmp_path, payload)
    assert caught.value.code == "bad-results"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.yaml"
    with pytest.raises(ExecutionError, match="wrote no such file"):
        read_results(path, BENCHMARK)
    path.mkdir()
    with pytest.raises(ExecutionError, match="a folder where a plain file"):
        read_results(path, BENCHMARK)
    path.rmdir()
    (tmp_path / "secret").write_text(GOOD)
    path.symlink_to("secret")
    with pytest.raises(ExecutionError, match="a symbolic link"):
        read_results(path, BENCHMARK)


def test_too_few_cases_are_refused_but_for_demo_data(tmp_path: Path) -> None:
    few = GOOD.replace("total: 25, evaluated: 20", "total: 14, evaluated: 9")
    with pytest.raises(ExecutionError, match="9 cases were evaluated; the benchmark needs 10"):
        read(tmp_path, few)
    assert read(tmp_path, few, check_minimum=False)[1].evaluated == 9


def test_statistics_are_numbers_with_the_cases_among_them(tmp_path: Path) -> None:
    path = tmp_path / "statistics.yaml"
    path.write_text("cases: 12\nage: {mean: 27.5, low: -0.0}\n")
    statistics, cases = read_statistics(path, "cases")
    assert (cases, str(statistics["age"]["low"])) == (12, "0.0")
    bad = {
        "cases: 0": "at least one",
        "cases: 1.5": "whole number",
        "n: 3": "missing",
        "cases: 3\nname: anna": "statistics.name: str",
        "cases: 3\nage: .nan": "finite",
        "cases: 3\nages: [1, 2]": "statistics.ages: list",
        "cases: 3\nanna smith: 1": "not a short name",
        f"cases: 3\nx: {2**60}": "beyond",
    }
    for text, message in bad.items():
        path.write_text(text)
        with pytest.raises(ExecutionError, match=message) as caught:
            read_statistics(path, "cases")
        assert caught.value.code == "bad-results"
