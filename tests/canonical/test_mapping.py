"""Dotted paths into nested mappings."""

from __future__ import annotations

from typing import Any

import pytest

from medperf_git.canonical.mapping import MISSING, lookup

DATA: dict[str, Any] = {"a": {"b": None, "": 1, "c": [1]}, "a.b": 2, "d": 0}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("d", 0),
        ("a.b", None),
        ("a.", 1),
        ("a.c", [1]),
        ("", MISSING),
        ("e", MISSING),
        ("a.c.0", MISSING),
        ("a.b.c", MISSING),
        ("d.real", MISSING),
        (".a", MISSING),
    ],
)
def test_lookup(path: str, value: Any) -> None:
    assert lookup(DATA, path) == value


def test_nothing_inside_what_is_no_mapping() -> None:
    assert lookup(["a"], "0") is MISSING
    assert lookup(None, "a") is MISSING
