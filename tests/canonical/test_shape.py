"""What a shape says of bytes is what the strict reader says, or nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medperf_git.canonical import shape
from medperf_git.canonical.document import HEADER, MAX_BYTES, Document, emit, parse
from medperf_git.canonical.shape import MOST, RECENT, Shapes
from medperf_git.errors import CanonicalError
from tests.canonical.strategies import TRAPS, leaves, mappings, same, texts

SCHEMA = "../schemas/root.json"
DATA: dict[str, Any] = {
    "name": "No fear",
    "cases": [1, {"id": "a", "low": 0.5}, [], [["x", "- y"], "no"]],
    "n": 3,
    "empty": {},
    "sure": True,
    "deep": {"er": {"still": "a: b"}},
}


def strictly(payload: bytes) -> Any:
    """The data by the strict reader; None where it refuses the bytes."""
    try:
        return parse(payload).data
    except CanonicalError:
        return None


def knowing(*documents: tuple[bytes, dict[str, Any]]) -> Shapes:
    shapes = Shapes()
    for payload, data in documents:
        shapes.learn(payload, data)
        shapes.learn(payload, data)
    return shapes


def assert_same_or_nothing(shapes: Shapes, payload: bytes) -> bool:
    """Whether the shapes knew it; if they did, they said what the strict reader says."""
    text = shapes.read(payload)
    if text is not None:
        strict = strictly(payload)
        assert strict is not None, payload
        assert same(json.loads(text), strict), payload
    return text is not None


def filled(data: Any, draw: Any, scalars: st.SearchStrategy[Any]) -> Any:
    """The same keys and places, with other scalars."""
    if isinstance(data, dict) and data:
        return {key: filled(value, draw, scalars) for key, value in data.items()}
    if isinstance(data, list) and data:
        return [filled(item, draw, scalars) for item in data]
    return draw(scalars)


scalars_and_empty: st.SearchStrategy[Any] = leaves | st.sampled_from([[], {}])


@given(st.data(), mappings)
def test_another_of_the_shape_is_known_for_what_it_is(
    source: st.DataObject, data: dict[str, Any]
) -> None:
    shapes = knowing((emit(Document(SCHEMA, data)), data))
    other = filled(data, source.draw, scalars_and_empty)
    assert_same_or_nothing(shapes, emit(Document(SCHEMA, other)))


def test_all_of_many_shapes_with_one_first_line_are_known() -> None:
    every = [{f"k{number}": 1, "last": "x"} for number in range(3 * RECENT)]
    shapes = knowing(*((emit(Document(SCHEMA, data)), data) for data in every))
    for _ in range(2):
        for number in range(3 * RECENT):
            data = {f"k{number}": number, "last": "y"}
            assert assert_same_or_nothing(shapes, emit(Document(SCHEMA, data)))


@given(st.data())
def test_a_usual_document_is_known(source: st.DataObject) -> None:
    shapes = knowing((emit(Document(SCHEMA, DATA)), DATA))
    other = filled(DATA, source.draw, scalars_and_empty)
    assert assert_same_or_nothing(shapes, emit(Document(SCHEMA, other)))


lines = st.sampled_from(
    [
        *(trap for trap in TRAPS if trap.isprintable()),
        "1",
        "01",
        "1.0",
        "1.00",
        "-0.0",
        '"1"',
        "~",
        "",
    ]
)


@given(st.data(), mappings)
def test_changed_bytes_are_known_for_what_they_are_or_not_at_all(
    source: st.DataObject, data: dict[str, Any]
) -> None:
    payload = emit(Document(SCHEMA, data))
    shapes = knowing((payload, data), (emit(Document(SCHEMA, DATA)), DATA))
    text = payload.decode()
    at = source.draw(st.integers(0, len(text)))
    upto = source.draw(st.integers(at, min(len(text), at + 12)))
    new = source.draw(lines | texts)
    changed = (text[:at] + new + text[upto:]).encode("utf-8", "surrogatepass")
    assert_same_or_nothing(shapes, changed)


@given(st.data(), lines | texts)
def test_no_token_passes_that_is_not_canonical(source: st.DataObject, token: str) -> None:
    shapes = knowing((emit(Document(SCHEMA, DATA)), DATA))
    rows = emit(Document(SCHEMA, DATA)).decode().split("\n")
    number = source.draw(st.integers(0, len(rows) - 1))
    rows[number] = re.sub(r"(: |- |^)[^ ]*$", lambda match: match[1] + token, rows[number])
    assert_same_or_nothing(shapes, "\n".join(rows).encode("utf-8", "surrogatepass"))


CHANGED: dict[str, tuple[bytes, bytes]] = {
    "a number with a zero before it": (b'n": 3', b'n": 03'),
    "a number spelled longer": (b"low: 0.5", b"low: 0.50"),
    "a word that YAML 1.1 takes for a boolean": (b"id: a", b"id: no"),
    "quotes that are not needed": (b"id: a", b'id: "a"'),
    "a space at the end": (b"id: a\n", b"id: a \n"),
    "no space after the colon": (b"id: a", b"id:a"),
    "a comment": (b"id: a", b"id: a # b"),
    "an empty value": (b"id: a", b"id: "),
    "an anchor": (b"id: a", b"id: &a"),
    "a carriage return": (b"id: a\n", b"id: a\r\n"),
    "another schema": (b"root.json", b"roof.json"),
    "a byte order mark": (b"# yaml", b"\xef\xbb\xbf# yaml"),
    "not UTF-8": (b"id: a", b"id: \xff"),
    "a line more": (b"  - 1\n", b"  - 1\n  - 1\n"),
    "an empty line": (b"  - 1\n", b"  - 1\n\n"),
    "no newline at the end": (b"sure: true\n", b"sure: true"),
    "a value where a mapping begins": (b"deep:\n", b"deep: 1\n"),
    "text that is not in its normal form": (b"id: a", 'id: "e\u0301"'.encode()),
    "another key": (b"id: a", b"ie: a"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_is_not_canonical_is_left_to_the_strict_reader(name: str) -> None:
    payload = emit(Document(SCHEMA, DATA))
    old, new = CHANGED[name]
    changed = payload.replace(old, new)
    assert changed != payload
    shapes = knowing((payload, DATA))
    assert shapes.read(payload) is not None
    assert shapes.read(changed) is None


def test_the_first_of_a_shape_is_not_enough() -> None:
    shapes, payload = Shapes(), emit(Document(SCHEMA, DATA))
    shapes.learn(payload, DATA)
    assert shapes.read(payload) is None


def test_keys_come_in_the_order_asked_for() -> None:
    data = {"b": 1, "a": {"d": [2], "c": "x"}}
    text = knowing((emit(Document(SCHEMA, data)), data)).read(emit(Document(SCHEMA, data)))
    assert text == '{"b":1,"a":{"d":[2],"c":"x"}}'


def test_a_document_of_one_scalar() -> None:
    data = {"a": 1}
    shapes = knowing((emit(Document(SCHEMA, data)), data))
    assert shapes.read(emit(Document(SCHEMA, {"a": "é"}))) == '{"a":"\\u00e9"}'


def test_large_documents_and_many_shapes_are_left_alone() -> None:
    large = {f"k{number}": "x" * 50 for number in range(400)}
    assert shape.MAX_BYTES < len(emit(Document(SCHEMA, large))) < MAX_BYTES
    assert (
        knowing((emit(Document(SCHEMA, large)), large)).read(emit(Document(SCHEMA, large))) is None
    )
    shapes = Shapes()
    for number in range(3 * MOST):
        data = {f"k{number}": number}
        for _ in range(2):
            shapes.learn(emit(Document(SCHEMA, data)), data)
    assert len(shapes._known) <= MOST
    assert len(shapes._once) <= MOST
    assert shapes.read(emit(Document(SCHEMA, {f"k{3 * MOST - 1}": 1}))) is not None
    assert shapes.read(emit(Document(SCHEMA, {"k0": 1}))) is None


def test_the_header_is_part_of_the_shape() -> None:
    shapes = knowing((emit(Document(SCHEMA, DATA)), DATA))
    assert shapes.read(emit(Document("../" + SCHEMA, DATA))) is None
    assert HEADER.encode() in emit(Document(SCHEMA, DATA))
