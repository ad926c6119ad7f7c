"""One scalar, one spelling."""

from __future__ import annotations

import enum
import math

import pytest
import yaml
from hypothesis import given
from ruamel.yaml import YAML

from medperf_git.canonical import scalars
from medperf_git.canonical.scalars import MAX_INTEGER
from medperf_git.errors import CanonicalError
from tests.canonical.strategies import TRAPS, leaves, same, texts


class Level(enum.IntEnum):
    HIGH = 3


class Odd(float):
    """As NumPy's float64: a float whose repr is not a number's."""

    def __repr__(self) -> str:
        return "np.float64(0.5)"


@given(leaves)
def test_read_inverts_spell(value: scalars.Scalar) -> None:
    assert same(scalars.read(scalars.spell(value)), value)


@given(leaves)
def test_yaml_1_1_and_1_2_readers_agree(value: scalars.Scalar) -> None:
    spelled = scalars.spell(value)
    assert same(yaml.safe_load(spelled), value)
    assert same(YAML(typ="safe", pure=True).load(spelled), value)


@given(texts)
def test_a_spelling_is_one_line_of_visible_characters(text: str) -> None:
    spelled = scalars.spell(text)
    assert "\n" not in spelled
    assert all(character.isprintable() for character in spelled if character.isascii())
    assert not set("\u200b\u200e\u202e\u2028\u2066\ufeff\u00a0\u00ad") & set(spelled)


@pytest.mark.parametrize("text", TRAPS)
def test_traps_are_read_back(text: str) -> None:
    spelled = scalars.spell(text)
    assert yaml.safe_load(spelled) == text
    assert scalars.read(spelled) == text


SPELLED: dict[str, tuple[scalars.Scalar, str]] = {
    "integer": (12, "12"),
    "zero": (0, "0"),
    "largest": (MAX_INTEGER, "9007199254740991"),
    "whole float": (1.0, "1.0"),
    "small float": (1e-7, "1.0e-07"),
    "large float": (1e16, "1.0e+16"),
    "largest float": (1.7976931348623157e308, "1.7976931348623157e+308"),
    "smallest float": (5e-324, "5.0e-324"),
    "enumeration": (Level.HIGH, "3"),
    "float of another library": (Odd(0.5), "0.5"),
    "true": (True, "true"),
    "empty": ("", '""'),
    "bidirectional override": ("a\u202eb", '"a\\u202Eb"'),
    "beyond the basic plane, invisible": ("\U000e0001", '"\\U000E0001"'),
    "newline": ("a\nb", '"a\\nb"'),
    "visible letters": ("Zürich", '"Zürich"'),
}


@pytest.mark.parametrize("name", SPELLED)
def test_spelling(name: str) -> None:
    value, spelled = SPELLED[name]
    assert scalars.spell(value) == spelled


UNSPEAKABLE: dict[str, scalars.Scalar] = {
    "nan": math.nan,
    "infinity": math.inf,
    "negative zero": -0.0,
    "beyond 2^53": MAX_INTEGER + 1,
    "below -2^53": -MAX_INTEGER - 1,
    "beyond Python's own limit of digits": 10**5000,
    "lone surrogate": "a\ud800",
    "decomposed": "e\u0301",
    "decomposing": "\u212b",
}


@pytest.mark.parametrize("name", UNSPEAKABLE)
def test_what_has_no_spelling(name: str) -> None:
    with pytest.raises(CanonicalError):
        scalars.spell(UNSPEAKABLE[name])


# What `read` may accept although no value is spelled so (the document's second emit refuses
# it) is not listed: only what it must refuse itself, without any other exception.
UNREADABLE = (
    *("", " ", "~", "null", "no", "Yes", "-", "+1", "01", "1_0", "1e3", ".5", "5.", "0x1", "1:2"),
    *("12345678901234567", "2024-01-31", "'a'", "|", "&a b", "*a", "!a b", "[a]", "{a}", "a ", "é"),
    *('"', '"a', '"a" b', '"\\x41"', '"\\e"', '"\\U00110000"', '"\\UFFFFFFFF"', '"\\U0001F60"'),
    *('"a\tb"', '"\\"', '"\\u12"', "a: b", "a #b", "١٢", "\uff11", "1.5e400x", "0.1e5"),
)


@pytest.mark.parametrize("token", UNREADABLE)
def test_what_spells_nothing(token: str) -> None:
    with pytest.raises(CanonicalError):
        scalars.read(token)
