"""How canonical YAML spells one scalar, and how it reads that spelling back.

A string stands plain only where every YAML 1.1 and YAML 1.2 reader takes it for that
string; anything else is double-quoted, with JSON's escapes. Characters that a reader can't
see (controls, zero-width, bidirectional overrides) are always escaped, so that what a
person reviews is what the machine reads. Does not know about lines, keys or nesting.

Example:
    >>> spell("registry/name"), spell("no"), spell("1e3"), spell(0.25), spell(1e-7)
    ('registry/name', '"no"', '"1e3"', '0.25', '1.0e-07')
    >>> read('"no"'), read("12"), read("true")
    ('no', 12, True)
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from functools import lru_cache
from typing import Final, TypeAlias

from medperf_git.errors import CanonicalError

Scalar: TypeAlias = str | bool | int | float

MAX_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON and YAML reader keeps exact (IEEE 754 binary64)."""

# A letter first: no number, date, sexagesimal, merge key or indicator begins with one. A
# colon inside only where no space or end follows, for there it would make a mapping.
_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9 _./@+,()=-]|:(?=[A-Za-z0-9_./@+]))*", re.ASCII)

# Words that YAML 1.1 or 1.2 readers take for a boolean or null, in any case.
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})

_WORD = 40
_LONGEST_RESERVED = max(map(len, _RESERVED))

_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:e[+-][0-9]{2,3})?", re.ASCII)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})", re.ASCII)

# Fixed ranges instead of Unicode categories: a category may change between Unicode
# versions, and a record's spelling must not.
_UNSEEN = (
    (0x0000, 0x001F), (0x007F, 0x00A0), (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C),
    (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2000, 0x200F), (0x2028, 0x202F),
    (0x205F, 0x206F), (0x3000, 0x3000), (0x3164, 0x3164), (0xE000, 0xF8FF), (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFF), (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF), (0xF0000, 0x10FFFF),
)  # fmt: skip
_UNSEEN_CLASS = "".join(f"{re.escape(chr(low))}-{re.escape(chr(high))}" for low, high in _UNSEEN)
_ESCAPE = re.compile(f'["\\\\{_UNSEEN_CLASS}]')
_JSON = json.JSONDecoder()
_LONG_ESCAPE = re.compile(r"\\(?:U([0-9A-F]{8})|.)")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def is_plain(text: str) -> bool:
    """Whether `text` may stand without quotes: the one place that decides it."""
    return _is_plain_word(text) if len(text) <= _WORD else _is_plain(text)


def _is_plain(text: str) -> bool:
    return (
        _PLAIN.fullmatch(text) is not None
        and text[-1] != " "
        and (len(text) > _LONGEST_RESERVED or text.lower() not in _RESERVED)
    )


_is_plain_word = lru_cache(maxsize=4096)(_is_plain)  # names of fields come again and again


def spell(value: Scalar) -> str:
    """The one spelling of a scalar.

    Raises:
        CanonicalError: a value that canonical YAML can't hold (NaN, infinity, -0.0, an
            integer beyond ±(2^53-1), a lone surrogate, text that is not NFC).
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _spell_integer(value)
    if isinstance(value, float):
        return _spell_float(value)
    return spell_text(value)


def spell_text(text: str) -> str:
    """The one spelling of a string or a key."""
    if is_plain(text):
        return text
    if not text.isascii():
        _refuse_text(text)
    return '"' + _ESCAPE.sub(_escape, text) + '"'


def _refuse_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CanonicalError(f"text holds a lone surrogate: {text!r:.60}") from error
    if not unicodedata.is_normalized("NFC", text):
        raise CanonicalError(f"text is not in Unicode's NFC form: {text!r:.60}")


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    point = ord(character)
    if point <= 0xFFFF:  # noqa: PLR2004 (the basic plane)
        return f"\\u{point:04X}"
    # YAML's own eight-digit escape: JSON's surrogate pairs are not YAML.
    return f"\\U{point:08X}"


def _spell_integer(value: int) -> str:
    if abs(value) > MAX_INTEGER:
        raise CanonicalError("integer beyond ±(2^53-1)")
    return int.__repr__(value)  # not str(): an enumeration's or a NumPy integer's may differ


def _spell_float(value: float) -> str:
    if not math.isfinite(value):
        raise CanonicalError(f"not a finite number: {value}")
    if value == 0 and math.copysign(1, value) < 0:
        raise CanonicalError("negative zero has no canonical spelling; write 0.0")
    text = float.__repr__(value)  # NumPy's own repr is `np.float64(…)`
    mantissa, mark, exponent = text.partition("e")
    # YAML 1.1 reads `1e-07` as a string: its floats need a point and a signed exponent.
    return text if not mark or "." in mantissa else f"{mantissa}.0e{exponent}"


def read(token: str) -> Scalar:
    """The scalar that a canonical token spells.

    Raises:
        CanonicalError: the token is no canonical spelling of anything.
    """
    if token.startswith('"'):
        return read_quoted(token)
    if token in ("true", "false"):
        return token == "true"  # noqa: S105 (a token of YAML)
    if is_plain(token):
        return token
    if _INTEGER.fullmatch(token):
        return int(token)
    if _FLOAT.fullmatch(token):
        return float(token)
    raise CanonicalError(
        f"not a canonical scalar: {token[:60]!r}",
        advice="put text in double quotes; write numbers as 12 or 0.5",
    )


def read_quoted(token: str) -> str:
    """The string that a double-quoted canonical token spells."""
    try:
        # YAML's \UXXXXXXXX is the one escape that JSON lacks; an escaped backslash before a
        # U must stay as it is, hence the pairwise match.
        json_token = _LONG_ESCAPE.sub(_to_json, token) if "\\U" in token else token
        text, end = _JSON.raw_decode(json_token)
    except (ValueError, OverflowError) as error:
        raise CanonicalError(f"not a double-quoted string: {token[:60]!r}") from error
    if end != len(json_token) or not isinstance(text, str):
        raise CanonicalError(f"not a double-quoted string: {token[:60]!r}")
    return text


def _to_json(match: re.Match[str]) -> str:
    digits = match[1]
    return match[0] if digits is None else json.dumps(chr(int(digits, 16)))[1:-1]
