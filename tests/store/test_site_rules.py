"""A site's own rules: what they admit, and files that can't be understood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medperf_git.errors import InputError
from medperf_git.store.site_rules import SiteRules, load_site_rules

PATTERNS: dict[str, tuple[tuple[str, ...], str, bool]] = {
    "everything": (("*",), "anna/preterm", True),
    "an owner": (("anna/*",), "anna/preterm", True),
    "another owner": (("anna/*",), "hanna/preterm", False),
    "an owner with a longer name": (("anna/*",), "anna-b/preterm", False),
    "one": (("anna/preterm",), "anna/preterm", True),
    "one with a longer name": (("anna/preterm",), "anna/preterm-2", False),
    "capitals": (("Anna/*",), "anna/preterm", False),
    "one of two": (("ben/*", "anna/preterm"), "anna/preterm", True),
    "nothing": ((), "anna/preterm", False),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_what_is_admitted(name: str) -> None:
    patterns, record, admitted = PATTERNS[name]
    assert SiteRules(benchmarks=patterns).admits_benchmark(record) is admitted
    assert SiteRules(models=patterns).admits_model(record) is admitted


CELLS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "below": ({"a": 4}, ["a"]),
    "one": ({"a": 1}, ["a"]),
    "at": ({"a": 5}, []),
    "above": ({"a": 6}, []),
    "none": ({"a": 0}, []),
    "a mean": ({"a": 4.5}, []),
    "a flag": ({"a": True}, []),
    "inside": ({"a": {"b": {"c": 3}}, "d": 2}, ["a.b.c", "d"]),
}


@pytest.mark.parametrize("name", CELLS)
def test_small_cells_are_found(name: str) -> None:
    data, found = CELLS[name]
    assert list(SiteRules(smallest_cell=5).small_cells(data)) == found
    assert list(SiteRules().small_cells(data)) == []


def test_without_a_file_nothing_is_forbidden(tmp_path: Path) -> None:
    rules = load_site_rules(tmp_path / "site.yaml")
    assert rules == SiteRules()
    assert set(rules.engines) == {"docker", "podman", "sandbox", "apptainer"}


def test_a_file_with_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        "engines: [podman]  # no root\nbenchmarks: [anna/*]\nmodels: []\nminimum_cases: 50\n"
        "smallest_cell: 5\nartefacts: [/data]\n"
        "limits: {memory_mb: 1024, cpus: 2, processes: 64, seconds: 60, output_mb: 10}\n"
    )
    rules = load_site_rules(path)
    assert (rules.engines, rules.models, rules.minimum_cases) == (("podman",), (), 50)
    assert rules.limits.model_dump() == {
        "memory_mb": 1024, "cpus": 2, "processes": 64, "seconds": 60, "output_mb": 10,
    }  # fmt: skip


BROKEN: dict[str, tuple[str, str]] = {
    "an empty file": ("", "key: value"),
    "an unknown field": ("model: [x]\n", "model: "),
    "an unknown engine": ("engines: [sandbox, qemu]\n", "engines.1: "),
    "text for a number": ("minimum_cases: '5'\n", "minimum_cases: "),
    "a fraction": ("smallest_cell: 2.5\n", "smallest_cell: "),
    "nothing for a list": ("models:\n", "models: "),
    "a limit as text": ("limits: {memory_mb: 1G}\n", "limits.memory_mb: "),
    "too little memory": ("limits: {memory_mb: 1}\n", "limits.memory_mb: "),
    "an empty pattern": ("models: ['']\n", "models.0: "),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_can_not_be_understood(tmp_path: Path, name: str) -> None:
    text, message = BROKEN[name]
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_site_rules(path)
    assert message in caught.value.message
    assert str(path) in (caught.value.place or "")
