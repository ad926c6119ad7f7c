"""Hypothesis strategies for what canonical YAML can hold."""

from __future__ import annotations

import unicodedata
from typing import Any

from hypothesis import strategies as st

from medperf_git.canonical.scalars import MAX_INTEGER

TRAPS = (
    *("no", "No", "NO", "yes", "on", "off", "y", "N", "true", "True", "null", "Null", "~", ""),
    *("12:30:45", "010", "0o10", "0x1F", "0b1", "1e3", "1e-05", "1.5", "-1", "+1", ".5", "1_000"),
    *("2024-01-31", "2024-01-31T00:00:00Z", ".inf", "-.inf", ".NaN", "nan", "inf", "Infinity"),
    *("<<", "=", "-", "- a", "? a", ": a", "a: b", "a:", "a #b", "#a", "a b", " a", "a "),
    *("&a", "*a", "!a", "!!str a", "%YAML 1.1", "@a", "`a", "|", ">", "---", "...", "{}", "[]"),
    *("{a: b}", "[a, b]", "'a'", '"a"', "a'b", "\\", '"', "\\n", "\\U0001F600", "\\u00e9", "\\/"),
    *("\n", "a\nb", "a\n", "\t", "\r\n", "\x00", "\x07", "\x1b[31m", "\x7f", "\x85", "\xa0"),
    *("\u00e9", "\u200b", "\u200e", "\u202e", "\u2028", "\u2029", "\u2066", "\ufeff", "\ufffd"),
    *("\ufffe", "\uffff", "\u3000", "\ue000", "\U0001f600", "\U000e0001", "\U0010ffff", "Ünï"),
    *("registry/name@sha256:00", "https://example.org/a?b=c", "C:\\x", "a,b", "a=b", "y:", "n :"),
)
"""Strings that some YAML reader takes for something else, or shows as something else."""


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


texts = st.sampled_from(TRAPS) | st.text(max_size=40).map(_normal)
numbers = st.integers(-MAX_INTEGER, MAX_INTEGER) | st.floats(
    allow_nan=False, allow_infinity=False
).map(lambda number: number + 0.0)
leaves = st.booleans() | numbers | texts
values: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=25,
)
mappings: st.SearchStrategy[dict[str, Any]] = st.dictionaries(texts, values, min_size=1, max_size=6)


def same(left: Any, right: Any) -> bool:
    """Equal in value and in type: 1, 1.0 and True are three things."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)
