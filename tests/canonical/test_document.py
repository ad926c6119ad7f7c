"""Canonical YAML: one document, one spelling, and nothing else is read."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from medperf_git.canonical.document import (
    HEADER,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_KEY,
    MAX_LINES,
    Document,
    emit,
    parse,
)
from medperf_git.errors import CanonicalError
from tests.canonical.strategies import mappings, same
from tests.support.patience import assert_cheap

FIRST = HEADER.encode() + b"x\n"


def _document(data: dict[str, Any]) -> Document:
    return Document("x", data)


@given(mappings)
def test_parse_inverts_emit(data: dict[str, Any]) -> None:
    assert same(parse(emit(_document(data))).data, data)


@given(mappings)
def test_other_readers_read_the_same(data: dict[str, Any]) -> None:
    payload = emit(_document(data))
    assert same(yaml.safe_load(payload), data)
    assert same(YAML(typ="safe", pure=True).load(payload), data)


@given(mappings, mappings)
def test_equal_data_have_equal_bytes(data: dict[str, Any], other: dict[str, Any]) -> None:
    backwards = dict(reversed(list(data.items())))
    assert emit(_document(data)) == emit(_document(backwards))
    if not same(data, other):
        assert emit(_document(data)) != emit(_document(other))


def _read_or_refuse(payload: bytes) -> None:
    try:
        document = parse(payload)
    except CanonicalError:
        return
    assert emit(document) == payload


@given(st.binary(max_size=200))
@example(b"")
@example(b"\n")
@example(FIRST)
def test_any_bytes(payload: bytes) -> None:
    _read_or_refuse(payload)
    _read_or_refuse(FIRST + payload)


_PIECES = ["a", "b: ", ": ", "- ", "  ", "\n", " ", '"', "\\", "\\u0041", "[]", "{}", "1", "0.5"]
_PIECES += ["#", "é", "e\u0301", "\u202e", "\t", "\r", "~", "-", "&", "true", "\x85", "\x00", "1e5"]


@given(st.lists(st.sampled_from(_PIECES), max_size=40))
def test_any_tokens(pieces: list[str]) -> None:
    _read_or_refuse(FIRST + "".join(pieces).encode())


@given(mappings, st.data())
def test_a_changed_byte_is_seen(data: dict[str, Any], draw: st.DataObject) -> None:
    payload = emit(_document(data))
    at = draw.draw(st.integers(0, len(payload) - 1), label="at")
    kind = draw.draw(st.sampled_from(("replace", "insert", "delete", "swap")), label="kind")
    byte = draw.draw(st.sampled_from(b' \n\t":-#\\a0\xc3\xff') | st.integers(0, 255), label="byte")
    middle = {
        "replace": bytes([byte]),
        "insert": bytes([byte]) + payload[at : at + 1],
        "delete": b"",
        "swap": payload[at : at + 2][::-1],
    }[kind]
    rest = payload[at + (2 if kind == "swap" else 1) :]
    changed = payload[:at] + middle + rest
    _read_or_refuse(changed)
    if changed != payload:
        try:
            again = parse(changed)
        except CanonicalError:
            return
        assert not same([again.schema, again.data], ["x", data])


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


GOOD = {
    "deepest": _nested(MAX_DEPTH),
    "empty collections": {"a": {}, "b": [], "c": [[], {}, [[]], [{}]]},
    "list of lists": {"a": [[1, [2, [3]]], [{"b": [{"c": 1, "d": [2]}]}]]},
    "tuples": {"a": (1, (2,))},
    "odd keys": {"": 1, "1": 2, "true": 3, "<<": 4, "=": 5, "a b": 6, "a: b": 7, "- a": 8, '"': 9},
    "longest key": {"k" * MAX_KEY: 1},
    "key like an item": {"a": [{"b c": 1}, "b: c", "b:", '"b": c', "- b", "-"]},
}


@pytest.mark.parametrize("name", GOOD)
def test_good_documents(name: str) -> None:
    payload = emit(_document(GOOD[name]))
    assert emit(parse(payload)) == payload
    plain = parse(payload).data
    assert same(yaml.safe_load(payload), plain)
    assert same(YAML(typ="safe", pure=True).load(payload), plain)


BAD_DATA: dict[str, dict[Any, Any]] = {
    "empty": {},
    "null": {"a": None},
    "null inside": {"a": [{"b": None}]},
    "integer key": {1: 2},
    "huge integer key": {10**5000: 2},
    "bytes": {"a": b"b"},
    "set": {"a": {1}},
    "empty set": {"a": set()},
    "an object": {"a": object()},
    "huge integer": {"a": 10**5000},
    "too deep": _nested(MAX_DEPTH + 1),
    "too deep a list": {"a": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]},
    "key too long for other readers": {"k" * (MAX_KEY + 1): 1},
    "escaped key too long": {"\U000e0001" * 101: 1},
    "key with a lone surrogate": {"\udc00": 1},
    "decomposed key": {"e\u0301": 1},
    "too many bytes": {"a": "b" * MAX_BYTES},
    "too many lines": {"a": [1] * MAX_LINES},
    "too many items on one line": {"a": [[[[1]]]] * (MAX_LINES - 3)},
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_canonical_yaml_cannot_hold(name: str) -> None:
    with pytest.raises(CanonicalError):
        emit(_document(BAD_DATA[name]))


def test_data_that_holds_itself() -> None:
    data: dict[str, Any] = {}
    data["a"] = data
    with pytest.raises(CanonicalError):
        emit(_document(data))


@pytest.mark.parametrize("schema", ["", "a b", "a\n", "x\ny: 1", "é", "a" * 201, "a#"])
def test_schema_references_that_are_none(schema: str) -> None:
    with pytest.raises(CanonicalError):
        emit(Document(schema, {"a": 1}))
    with pytest.raises(CanonicalError):
        parse(HEADER.encode() + schema.encode() + b"\na: 1\n")


BAD_BODIES = {
    "nothing": b"",
    "only a newline": b"\n",
    "comment line": b"# b\na: 1\n",
    "comment behind a value": b"a: 1 # b\n",
    "comment behind text": b"a: b # c\n",
    "comment at the end": b"a: 1\n# b\n",
    "keys out of order": b"b: 1\na: 2\n",
    "keys out of order, nested": b"a:\n  c: 1\n  b: 2\n",
    "keys out of order by code point": "é: 1\nz: 2\n".encode(),
    "key twice": b"a: 1\na: 1\n",
    "key twice in two spellings": b'"a": 1\na: 1\n',
    "key quoted without need": b'"a": 1\n',
    "key single-quoted": b"'a': 1\n",
    "key unquoted though reserved": b"no: 1\n",
    "key a number": b"1: 2\n",
    "key null": b"~: 1\n",
    "key in question form": b"? a\n: 1\n",
    "value quoted without need": b'a: "b"\n',
    "value single-quoted": b"a: 'b'\n",
    "value unquoted though reserved": b"a: Yes\n",
    "literal block": b"a: |\n  b\n",
    "folded block": b"a: >\n  b\n",
    "text over two lines": b"a: b\n  c\n",
    "quoted text over two lines": b'a: "b\n  c"\n',
    "anchor": b"a: &b 1\n",
    "anchor on a mapping": b"a: &b\n  c: 1\n",
    "alias": b"a: *b\n",
    "tag": b"a: !!str 1\n",
    "local tag": b"a: !b c\n",
    "merge key": b"<<: {}\na: 1\n",
    "flow mapping": b"a: {b: 1}\n",
    "flow sequence": b"a: [1]\n",
    "flow with spaces": b"a: [ ]\n",
    "null by word": b"a: null\n",
    "null by absence": b"a:\n",
    "null by absence, then a key": b"a:\nb: 1\n",
    "null item": b"a:\n  -\n",
    "directive": b"%YAML 1.1\n---\na: 1\n",
    "document start": b"---\na: 1\n",
    "document end": b"a: 1\n...\n",
    "second document": b"a: 1\n---\nb: 1\n",
    "top-level list": b"- a\n",
    "top-level scalar": b"a\n",
    "byte order mark inside": b"\xef\xbb\xbfa: 1\n",
    "CRLF": b"a: 1\r\n",
    "CR alone": b"a: 1\rb: 2\n",
    "CR in a string": b'a: "b\rc"\n',
    "next line": b"a: b\xc2\x85b: 1\n",
    "line separator raw": 'a: "\u2028"\n'.encode(),
    "decomposed value": 'a: "e\u0301"\n'.encode(),
    "decomposed key": '"e\u0301": 1\n'.encode(),
    "trailing space": b"a: 1 \n",
    "trailing space on a key": b"a: \n  b: 1\n",
    "two spaces before a value": b"a:  1\n",
    "space before a colon": b"a : 1\n",
    "no final newline": b"a: 1",
    "two final newlines": b"a: 1\n\n",
    "blank line": b"a: 1\n\nb: 2\n",
    "tab as indentation": b"a:\n\tb: 1\n",
    "tab before a value": b"a:\t1\n",
    "indented top": b"  a: 1\n",
    "four spaces a level": b"a:\n    b: 1\n",
    "one space a level": b"a:\n b: 1\n",
    "list at its key's level": b"a:\n- b\n",
    "list over-indented": b"a:\n    - b\n",
    "wide dash": b"a:\n  -  b\n",
    "dash alone, block below": b"a:\n  -\n    b: 1\n",
    "mapping and list mixed": b"a:\n  - b\n  c: 1\n",
    "list and mapping mixed": b"a:\n  c: 1\n  - b\n",
    "item's second key misplaced": b"a:\n  - b: 1\n   c: 2\n",
    "plus sign": b"a: +1\n",
    "leading zero": b"a: 010\n",
    "hexadecimal": b"a: 0x1\n",
    "underscores": b"a: 1_000\n",
    "sexagesimal": b"a: 12:30:45\n",
    "exponent without point": b"a: 1e3\n",
    "exponent where none is needed": b"a: 1.0e+00\n",
    "exponent too large": b"a: 1.0e+400\n",
    "exponent too small": b"a: 1.0e-400\n",
    "trailing zero": b"a: 1.50\n",
    "more digits than a float has": b"a: 0.10000000000000000001\n",
    "negative zero": b"a: -0\n",
    "negative zero with a point": b"a: -0.0\n",
    "not a number": b"a: .nan\n",
    "NaN": b"a: NaN2 \n",
    "infinity": b"a: .inf\n",
    "integer beyond 2^53": b"a: 9007199254740992\n",
    "integer of many digits": b"a: " + b"9" * 5000 + b"\n",
    "date": b"a: 2024-01-31\n",
    "escape in lower case": b'a: "\\u202e"\n',
    "escape without need": b'a: "\\u0041b\\n"\n',
    "escaped slash": b'a: "\\/\\n"\n',
    "short escape of JSON": b'a: "\\b"\n',
    "YAML's own short escape": b'a: "\\e"\n',
    "hexadecimal escape": b'a: "\\x07"\n',
    "surrogate pair": b'a: "\\uD83D\\uDE00"\n',
    "lone surrogate escaped": b'a: "\\uD800"\n',
    "lone surrogate raw": b'a: "\xed\xa0\x80"\n',
    "escape beyond Unicode": b'a: "\\U00110000"\n',
    "zero-width space raw": 'a: "b\u200bc"\n'.encode(),
    "bidirectional override raw": 'a: "b\u202ec"\n'.encode(),
    "bidirectional isolate raw": 'a: "b\u2066c"\n'.encode(),
    "no-break space raw": 'a: "b\u00a0c"\n'.encode(),
    "soft hyphen raw": 'a: "b\u00adc"\n'.encode(),
    "private use raw": 'a: "\ue000"\n'.encode(),
    "delete raw": b'a: "\x7f"\n',
    "escape character raw": b'a: "\x1b[31m"\n',
    "NUL raw": b"a: \x00\n",
    "letters unquoted": "a: é\n".encode(),
    "invalid UTF-8": b"a: \xff\n",
    "overlong UTF-8": b'a: "\xc0\xaf"\n',
    "truncated UTF-8": b'a: "\xe2\x82"\n',
    "UTF-16": "a: 1\n".encode("utf-16"),
    "34 levels": b"".join(b"  " * level + b"a:\n" for level in range(33)) + b"  " * 33 + b"a: 1\n",
    "too many levels on one line": b"a:\n  " + b"- " * 40 + b"b\n",
    "text behind a quoted key": b'"a b" c: 1\n',
    "unclosed quote": b'a: "b\n',
    "colon without space": b"a:1\n",
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bytes_that_are_not_canonical(name: str) -> None:
    with pytest.raises(CanonicalError):
        parse(FIRST + BAD_BODIES[name])


BAD_FIRST_LINES = {
    "none": b"a: 1\n",
    "byte order mark": b"\xef\xbb\xbf" + FIRST + b"a: 1\n",
    "blank before": b"\n" + FIRST + b"a: 1\n",
    "space before": b" " + FIRST + b"a: 1\n",
    "twice": FIRST + FIRST + b"a: 1\n",
    "trailing space": FIRST[:-1] + b" \na: 1\n",
    "another comment": b"# schema: x\na: 1\n",
    "only it": FIRST,
    "only it, unfinished": FIRST[:-1],
}


@pytest.mark.parametrize("name", BAD_FIRST_LINES)
def test_first_lines_that_are_not_it(name: str) -> None:
    with pytest.raises(CanonicalError):
        parse(BAD_FIRST_LINES[name])


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"b: 1\na: 2\n", "line 2"),
        (b"a: 1\nb: 'c'\n", "line 3"),
        (b"a:\n  b:\n  c: 1\n", "line 4"),
        (b"a: 1\nb: 2\r\n", "line 3"),
        (b"a: 1\nb: \xff\n", "line 3"),
        (b"a: 1", "line 2"),
    ],
)
def test_the_place_is_the_line(body: bytes, line: str) -> None:
    with pytest.raises(CanonicalError) as caught:
        parse(FIRST + body)
    assert caught.value.place == line


def test_what_is_too_large_is_refused_unread() -> None:
    for payload in (FIRST + b"a" * MAX_BYTES, FIRST + b"a: 1\n" * MAX_LINES):
        with pytest.raises(CanonicalError) as caught:
            parse(payload)
        assert caught.value.code == "too-large"


ROOM = MAX_BYTES - len(FIRST) - 20
MANY = MAX_LINES - 2
SLOW = {
    "short items": b"a:\n" + b"  - b\n" * (MANY - 1),
    "short keys": b"".join(b"k%05d: 1\n" % number for number in range(MANY)),
    "quoted keys": b"".join(b'"%05d": "1\\n"\n' % number for number in range(MANY)),
    "items that are mappings": b"a:\n" + b"  - b: c\n" * (MANY - 1),
    "items in items": b"a:\n" + (b"  " + b"- " * 30 + b"b\n") * 3800,
    "a long plain value": b"a: " + b"b" * ROOM + b"\n",
    "a long plain value with one bad character": b"a: " + b"b" * ROOM + b"!\n",
    "a long key": b"b" * ROOM + b": c\n",
    "a key that never ends": b"b" * ROOM + b"\n",
    "colons without end": b"b:" * (ROOM // 2) + b"\n",
    "colons in an item": b"a:\n  - " + b"b:" * (ROOM // 2) + b"\n",
    "escapes": b'a: "' + b"\\u0000" * (ROOM // 6) + b'"\n',
    "long escapes": b'a: "' + b"\\U000E0001" * (ROOM // 10) + b'"\n',
    "backslashes": b'a: "' + b"\\\\" * (ROOM // 2) + b'"\n',
    "backslashes without end": b'"' + b"\\\\" * (ROOM // 2) + b"\n",
    "digits": b"a: 0." + b"1" * ROOM + b"\n",
    "dashes": b"a:\n  " + b"- " * (ROOM // 2) + b"\n",
    "combining characters": b'a: "a' + "\u0316\u0300".encode() * (ROOM // 4) + b'"\n',
    "combining characters in order": b'a: "' + "\u0305".encode() * (ROOM // 2) + b'"\n',
    "jamo": 'a: "\u1100'.encode() + "\u1161".encode() * (ROOM // 3) + b'"\n',
    "spaces": b"a:\n" + b" " * ROOM + b"b: 1\n",
    "a deep end with many keys": b"".join(b"  " * level + b"a:\n" for level in range(31))
    + b"".join(b"  " * 31 + b"k%05d: 1\n" % number for number in range(3000)),
}


@pytest.mark.parametrize("name", SLOW)
def test_the_worst_inputs_are_read_in_little_time(name: str) -> None:
    # Each takes less than 60 ms on a laptop; quadratic time would take seconds.
    payload = FIRST + SLOW[name]
    assert_cheap(lambda: _read_or_refuse(payload), 0.5)
