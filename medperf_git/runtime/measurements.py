r"""Reading what containers measured: `results.yaml` and `statistics.yaml`, both hostile.

Only what the benchmark declares is taken, each as a number, an interval and a count; whatever
else stands in the file stays at the site. Does not decide what may leave (people do).

Example:
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "statistics.yaml"
    >>> _ = path.write_text("cases: 211\nage: {mean: 27.5}\n")
    >>> read_statistics(path, "cases")
    ({'cases': 211, 'age': {'mean': 27.5}}, 211)
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from medperf_git.canonical.draft import read_mapping
from medperf_git.canonical.mapping import MISSING, lookup
from medperf_git.errors import ArtefactError, ExecutionError, InputError
from medperf_git.records.base import Count
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.dataset import numbers_only
from medperf_git.records.metric import Denominator, MetricDeclaration, MetricValue, conform
from medperf_git.runtime.files import open_plain

MAX_BYTES: Final = 1024 * 1024
_MAX_COUNT: Final = 2**53 - 1
_ADVICE: Final = "tell the owner of the container; the file stays where it is"


def read_results(
    path: Path, benchmark: Benchmark, *, check_minimum: bool = True
) -> tuple[tuple[MetricValue, ...], Denominator]:
    """The declared metrics and the numbers of cases, from `results.yaml`.

    Args:
        path: the file that the evaluation wrote.
        benchmark: declares metrics, their places and the smallest number of cases.
        check_minimum: False for demo data, which may have fewer cases.

    Raises:
        ExecutionError: `bad-results`; `place` names the file and the field.
    """
    data = _read(path)
    paths = benchmark.case_paths
    counts = {
        name: _count(data, getattr(paths, name), path)
        for name in ("cases", "evaluated", "failed", "excluded")
    }
    try:
        denominator = Denominator(**counts)
    except ValidationError as error:
        raise _bad("; ".join(_reasons(error)), path, paths.cases) from error
    values = tuple(
        _metric(data, metric, denominator.evaluated, path) for metric in benchmark.metrics
    )
    for problem in conform(benchmark.metrics, values):
        raise _bad(problem.message, path, problem.field)
    if check_minimum and denominator.evaluated < benchmark.minimum_cases:
        raise _bad(
            f"{denominator.evaluated} cases were evaluated; "
            f"the benchmark needs {benchmark.minimum_cases}",
            path,
            paths.evaluated,
        )
    return values, denominator


def read_statistics(path: Path, cases_path: str) -> tuple[dict[str, Any], int]:
    """All statistics, which must be numbers, and the number of cases among them.

    Raises:
        ExecutionError: `bad-results`; `place` names the file and the field.
    """
    data = _read(path)
    try:
        statistics = numbers_only(data, "statistics")
    except ValueError as error:
        raise _bad(str(error), path, "statistics") from error
    statistics = _finite(statistics, path, "")
    cases = _count(statistics, cases_path, path)
    if cases < 1:
        raise _bad("a dataset has at least one case", path, cases_path)
    return statistics, cases


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_mapping(_bytes(path), str(path), most_bytes=MAX_BYTES)
    except InputError as error:
        raise ExecutionError(
            error.message, code="bad-results", place=error.place, advice=_ADVICE
        ) from error


def _bytes(path: Path) -> bytes:
    """The file's bytes, one more than allowed at most; never another file's."""
    try:
        with open_plain(path) as file:
            return file.read(MAX_BYTES + 1)
    except ArtefactError as error:
        if error.code == "artefact-missing":
            raise _bad("the container wrote no such file", path) from error
        raise _bad(error.message, path) from error


def _metric(
    data: dict[str, Any], metric: MetricDeclaration, evaluated: int, path: Path
) -> MetricValue:
    found = lookup(data, metric.path)
    if found is MISSING:
        raise _bad(f"the metric {metric.id} is missing", path, metric.path)
    if not isinstance(found, dict):
        return MetricValue(id=metric.id, value=_number(found, path, metric.path), n=evaluated)
    if "value" not in found:
        raise _bad(f"the metric {metric.id} has no value", path, f"{metric.path}.value")
    numbers = {
        name: _number(found[name], path, f"{metric.path}.{name}")
        for name in ("value", "low", "high", "standard_error")
        if found.get(name) is not None or name == "value"
    }
    n = _count(found, "n", path, f"{metric.path}.n") if "n" in found else evaluated
    try:
        return MetricValue(id=metric.id, n=n, **numbers)
    except ValidationError as error:
        raise _bad("; ".join(_reasons(error)), path, metric.path) from error


def _number(value: Any, path: Path, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad(f"{_kind(value)} where a number belongs", path, field)
    try:
        number = float(value)
    except OverflowError as error:
        raise _bad("a number too large to be one", path, field) from error
    if not math.isfinite(number):
        raise _bad(f"{number} is not a finite number", path, field)
    # Negative zero has no spelling in a record, and says nothing that zero does not.
    return number + 0.0


def _count(data: dict[str, Any], dotted: str, path: Path, field: str | None = None) -> Count:
    value = lookup(data, dotted)
    place = field or dotted
    if value is MISSING:
        raise _bad("the number of cases is missing", path, place)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _bad(f"{_kind(value)} where a whole number belongs", path, place)
    if not 0 <= value <= _MAX_COUNT:
        raise _bad(f"{str(value)[:24]} can't be a number of cases", path, place)
    return value


def _finite(data: dict[str, Any], path: Path, prefix: str) -> dict[str, Any]:
    """The same mapping, with every number one that a record can hold."""
    clean: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            clean[key] = _finite(value, path, f"{prefix}{key}.")
            continue
        number = _number(value, path, prefix + key)
        if isinstance(value, int) and abs(value) > _MAX_COUNT:
            raise _bad("an integer beyond ±(2^53-1)", path, prefix + key)
        clean[key] = value if isinstance(value, int) else number
    return clean


def _kind(value: Any) -> str:
    names = {str: "text", bool: "true or false", list: "a list", dict: "a mapping"}
    if value is None:
        return "nothing"
    return names.get(type(value), f"a {type(value).__name__}")


def _reasons(error: ValidationError) -> list[str]:
    return [str(item["msg"]).removeprefix("Value error, ") for item in error.errors()]


def _bad(message: str, path: Path, field: str | None = None) -> ExecutionError:
    place = str(path) if field is None else f"{path}: {field}"
    return ExecutionError(message, code="bad-results", place=place, advice=_ADVICE)
