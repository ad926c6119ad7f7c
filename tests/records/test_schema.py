"""The quick validator's yes is never a yes that the explaining one would not give."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator

from medperf_git.records.kinds import KINDS
from medperf_git.records.schema import schema_faults, schema_text
from tests.records.samples import sample

VALUES: tuple[Any, ...] = (
    # Nothing that is not finite: canonical bytes spell no such number, and `emit` refuses it.
    *(None, True, False, 0, 1, 2, -1, 10**20, 0.0, 1.0, 1.5),
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
    quick, validator = jsonschema_rs.Draft202012Validator(top), Draft202012Validator(top)
    answers = [(quick.is_valid(value), validator.is_valid(value), value) for value in VALUES]
    assert [value for yes, valid, value in answers if yes and not valid] == []


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
    quick, validator = jsonschema_rs.Draft202012Validator(schema), Draft202012Validator(schema)
    refused = 0
    for data in changes(sample(kind)):
        valid = validator.is_valid(data)
        refused += not valid
        assert valid or not quick.is_valid(data), data
        assert bool(schema_faults(kind, data)) is not valid
    assert refused > 10


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_record_gets_its_yes(kind: str) -> None:
    assert jsonschema_rs.Draft202012Validator(schema_of(kind)).is_valid(sample(kind))


@pytest.mark.parametrize(
    "name", ["\ud800", 10**400, float("inf")], ids=["surrogate", "huge", "inf"]
)
def test_what_the_quick_one_can_not_take_is_left_to_the_other(name: Any) -> None:
    assert schema_faults("participant", {**sample("participant"), "name": name}) is not None
    assert schema_faults("participant", {**sample("participant"), "revision": name}) != []
