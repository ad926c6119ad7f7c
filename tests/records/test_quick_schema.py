"""A quick yes is never a yes that the standard's validator would not give."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from medperf_git.records.kinds import KINDS
from medperf_git.records.quick_schema import meets
from medperf_git.records.schema import schema_faults, schema_text
from tests.records.samples import sample

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, -1, 10**20, 0.0, 1.0, 1.5, float("nan"), float("inf")),
    *("", "a", "aa", "A", "é", "a\n", "1", "x" * 200),
    *([], [1], [1, 1], ["a", "b", "c"], [[]], {}, {"a": 1}, {"a": "a", "b": 1}, {"c": {}}),
)
SCHEMAS: tuple[dict[str, Any], ...] = (
    *({"type": name} for name in ("object", "array", "string", "boolean", "integer", "number")),
    {"type": ["string", "integer"]},
    {"type": "null"},
    *({word: 1} for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")),
    *({word: 1} for word in ("minLength", "maxLength", "minItems", "maxItems")),
    *({"pattern": text} for text in ("^a$", "a", "^[a-z]+$", "^$")),
    *({"const": value} for value in VALUES),
    *({"enum": [one, other]} for one, other in ((1, "a"), (True, 0.0), (None, []))),
    {"items": {"type": "integer"}},
    {"items": {"type": "integer"}, "prefixItems": [{"type": "string"}]},
    {"items": False},
    {"properties": {"a": {"type": "integer"}}},
    {"properties": {"a": {}}, "additionalProperties": False},
    {"properties": {"a": {}}, "additionalProperties": {"type": "integer"}},
    {"additionalProperties": True},
    {"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": False},
    {"patternProperties": {"a|b": {"type": "string"}}, "properties": {"a": {"type": "string"}}},
    {"propertyNames": {"maxLength": 1, "pattern": "^[ab]$"}},
    {"required": ["a"]},
    {"$ref": "#/$defs/word"},
    {"$ref": "#/$defs/nothing"},
    *({word: [{"type": "integer"}, {"minimum": 2}]} for word in ("anyOf", "oneOf", "allOf")),
    {
        "oneOf": [
            {"properties": {"a": {"const": "a"}}, "required": ["a"]},
            {"properties": {"a": {"const": "b"}}, "required": ["a"]},
            {"$ref": "#/$defs/word"},
        ]
    },
    {
        "oneOf": [
            {"properties": {"a": {"const": "a"}}},
            {"properties": {"a": {"const": "b"}}, "required": ["a"]},
        ]
    },
    *({"not": {"type": name}} for name in ("string", "integer")),
    {"if": {"type": "integer"}, "then": {"minimum": 2}},
    {"uniqueItems": True},
    {"multipleOf": 2},
    {"format": "date"},
)


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_no_keyword_says_yes_too_easily(schema: dict[str, Any]) -> None:
    top = {**schema, "$defs": {"word": {"type": "string", "maxLength": 1}}}
    if schema.get("$ref", "").endswith("nothing"):
        assert not any(meets(value, top, top) for value in VALUES)
        return
    validator = Draft202012Validator(top)
    for value in VALUES:
        assert not meets(value, top, top) or validator.is_valid(value), value


def schema_of(kind: str) -> Any:
    return json.loads(schema_text(kind))


def changes(data: Any) -> Iterator[Any]:
    """The data with one thing changed, at every place and in many ways."""
    if isinstance(data, dict):
        yield {**data, "more": 1}
        for key, inner in data.items():
            yield {name: value for name, value in data.items() if name != key}
            for changed in changes(inner):
                yield {**data, key: changed}
    elif isinstance(data, list):
        yield [*data, *data]
        yield data[1:]
        for at, inner in enumerate(data):
            for changed in changes(inner):
                yield [*data[:at], changed, *data[at + 1 :]]
    else:
        others: tuple[Any, ...] = (None, True, -1, 0.5, "", "é\n", {}, [])
        yield from (value for value in others if value != data)
        yield f"{data}x"


@pytest.mark.parametrize("kind", KINDS)
def test_no_changed_record_gets_a_yes_too_easily(kind: str) -> None:
    schema = schema_of(kind)
    validator = Draft202012Validator(schema)
    refused = 0
    for data in changes(sample(kind)):
        valid = validator.is_valid(data)
        refused += not valid
        assert valid or not meets(data, schema, schema), data
        assert bool(schema_faults(kind, data)) is not valid
    assert refused > 10


SLOW = frozenset({"mlcube", "model"})
"""Kinds with a choice between forms: the validator judges them."""


@pytest.mark.parametrize("kind", sorted(set(KINDS) - SLOW))
def test_a_good_record_gets_its_yes(kind: str) -> None:
    schema = schema_of(kind)
    assert meets(sample(kind), schema, schema)
