"""A quick yes to a JSON Schema: whether data meets it beyond doubt.

A schema's full validation takes longer than everything else that is done to a record, and nearly
every record is good. `meets` knows most keywords that our schemas are made of, each at its
strictest; all of them only narrow, so that its yes is a yes by the standard. Its no says nothing:
then the validator decides, and says what is wrong.

Example:
    >>> meets(3, {"type": "integer", "minimum": 1}, {})
    True
    >>> meets(3.0, {"type": "integer"}, {}), meets(3, {"not": {"type": "string"}}, {})
    (False, False)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

Schema: TypeAlias = Mapping[str, Any]
AnySchema: TypeAlias = Schema | bool
"""`true` and `false` are schemas too."""

_REFERENCE: Final = "#/$defs/"
_pattern = lru_cache(maxsize=256)(re.compile)
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def meets(value: Any, schema: AnySchema, top: Schema) -> bool:
    """Whether plain data certainly meets a schema; False where the validator must decide.

    Args:
        value: plain data.
        schema: what it should meet.
        top: the whole schema, which holds the definitions.
    """
    if isinstance(schema, bool):
        return schema
    for keyword, wanted in schema.items():
        if keyword in _ANNOTATIONS:
            continue
        test = _TESTS.get(keyword)
        if test is None or not test(value, wanted, schema, top):
            return False
    return True


def _reference(value: Any, wanted: str, _schema: Schema, top: Schema) -> bool:
    found = top["$defs"].get(wanted.removeprefix(_REFERENCE))
    return found is not None and meets(value, found, top)


def _properties(value: Any, wanted: Schema, _schema: Schema, top: Schema) -> bool:
    return type(value) is dict and all(
        meets(value[name], inner, top) for name, inner in wanted.items() if name in value
    )


def _pattern_properties(value: Any, wanted: Schema, _schema: Schema, top: Schema) -> bool:
    return type(value) is dict and all(
        meets(value[name], inner, top)
        for pattern, inner in wanted.items()
        for name in value
        if _matches(pattern, name)
    )


def _additional(value: Any, wanted: Any, schema: Schema, top: Schema) -> bool:
    if type(value) is not dict:
        return False
    patterns = schema.get("patternProperties", ())
    others = [
        name
        for name in value.keys() - schema.get("properties", {}).keys()
        if not any(_matches(pattern, name) for pattern in patterns)
    ]
    return all(meets(value[name], wanted, top) for name in others)


def _names(value: Any, wanted: Schema, _schema: Schema, top: Schema) -> bool:
    return type(value) is dict and all(meets(name, wanted, top) for name in value)


def _items(value: Any, wanted: Schema, schema: Schema, top: Schema) -> bool:
    if type(value) is not list or "prefixItems" in schema:
        return False
    return all(meets(item, wanted, top) for item in value)


def _type(value: Any, wanted: str | list[str], *_: Schema) -> bool:
    names = [wanted] if isinstance(wanted, str) else wanted
    return any(type(value) in _TYPES.get(name, ()) for name in names)


def _matches(pattern: str, text: str) -> bool:
    return _pattern(pattern).search(text) is not None


def _one_of(value: Any, wanted: list[Schema], _schema: Schema, top: Schema) -> bool:
    """One of them, and certainly none of the others: as kinds that a constant tells apart."""
    found = [inner for inner in wanted if meets(value, inner, top)]
    return len(found) == 1 and all(
        inner is found[0] or _is_another_kind(value, inner, top) for inner in wanted
    )


def _is_another_kind(value: Any, schema: Schema, top: Schema) -> bool:
    """Whether a required text of the data certainly is not the constant that it must be."""
    inner = top.get("$defs", {}).get(str(schema.get("$ref", "")).removeprefix(_REFERENCE), schema)
    properties = inner.get("properties", {})
    return type(value) is dict and any(
        type(value.get(name)) is str
        and type(constant := properties.get(name, {}).get("const")) is str
        and value[name] != constant
        for name in inner.get("required", ())
    )


def _same(value: Any, wanted: Any) -> bool:
    """By type too: in Python `True == 1`."""
    return type(value) is type(wanted) and type(value) in (str, int, bool) and value == wanted


_ANNOTATIONS: Final = frozenset(
    {"$schema", "$id", "$defs", "title", "description", "default", "discriminator"}
)
_TESTS: Final[Mapping[str, Callable[[Any, Any, Schema, Schema], bool]]] = {
    "$ref": _reference,
    "type": _type,
    "properties": _properties,
    "required": lambda value, wanted, *_: type(value) is dict and value.keys() >= set(wanted),
    "additionalProperties": _additional,
    "patternProperties": _pattern_properties,
    "propertyNames": _names,
    "items": _items,
    "oneOf": _one_of,
    "minItems": lambda value, wanted, *_: type(value) is list and len(value) >= wanted,
    "maxItems": lambda value, wanted, *_: type(value) is list and len(value) <= wanted,
    "minLength": lambda value, wanted, *_: type(value) is str and len(value) >= wanted,
    "maxLength": lambda value, wanted, *_: type(value) is str and len(value) <= wanted,
    "pattern": lambda value, wanted, *_: type(value) is str and _matches(wanted, value),
    "minimum": lambda value, wanted, *_: type(value) in (int, float) and value >= wanted,
    "maximum": lambda value, wanted, *_: type(value) in (int, float) and value <= wanted,
    "exclusiveMinimum": lambda value, wanted, *_: type(value) in (int, float) and value > wanted,
    "exclusiveMaximum": lambda value, wanted, *_: type(value) in (int, float) and value < wanted,
    "const": lambda value, wanted, *_: _same(value, wanted),
    "enum": lambda value, wanted, *_: any(_same(value, one) for one in wanted),
}
"""For each keyword whether data certainly meets it; of others nothing is certain."""
