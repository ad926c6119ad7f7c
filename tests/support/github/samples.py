"""Answers made complete: what a schema requires beyond what the stand-in knows is made up.

GitHub's objects have dozens of required fields, most of them addresses. `Samples.complete` takes
what matters and adds the rest by the schema: addresses from the object's own `url`, the plainest
value of the type elsewhere. It invents no optional field, and checks nothing.

Example::

    samples.complete("label", {"name": "invited", "url": "http://localhost/labels/invited"})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.support.github.contract import Contract

TIME: Final = "2026-01-31T12:00:00Z"
_PLAIN: Final[dict[str, Any]] = {"string": "", "integer": 0, "number": 0, "boolean": False}


class Samples:
    """Makes objects complete by the contract's schemas."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def complete(self, name: str, known: Mapping[str, Any]) -> dict[str, Any]:
        """An object of a component's schema, of which `known` is known."""
        found: dict[str, Any] = self._filled({"$ref": f"#/schemas/{name}"}, dict(known), "")
        return found

    def _filled(self, schema: Mapping[str, Any], known: Any, base: str) -> Any:
        found = self._resolved(schema)
        if isinstance(known, list):
            items = found.get("items", {})
            return [self._filled(items, each, base) for each in known]
        if not isinstance(known, dict):
            return known
        base = str(known.get("url") or base)
        properties = found.get("properties", {})
        out = {
            key: self._filled(properties[key], value, base) if key in properties else value
            for key, value in known.items()
        }
        for key in found.get("required", []):
            if key not in out:
                out[key] = self._sample(key, properties.get(key, {}), base)
        return out

    def _sample(self, key: str, schema: Mapping[str, Any], base: str) -> Any:
        found = self._resolved(schema)
        kinds = found.get("type", "object")
        if "null" in kinds or "null" in [each.get("type") for each in found.get("anyOf", [])]:
            return None
        kind = kinds if isinstance(kinds, str) else kinds[0]
        if "enum" in found:
            return found["enum"][0]
        if found.get("format") == "date-time":
            return TIME
        if key.endswith("url") or key == "href" or found.get("format") == "uri":
            return f"{base}/{key.removesuffix('url').removesuffix('_')}".rstrip("/")
        if kind == "array":
            return []
        return _PLAIN[kind] if kind in _PLAIN else self._filled(found, {}, base)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """A schema without a reference, a choice or a null around it: the first that is meant."""
        while True:
            inner = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
            if "$ref" in schema:
                schema = self._contract.schema(schema["$ref"])
            elif "type" not in schema and len(schema.get("anyOf", [])) == 1:
                schema = inner[0]
            elif "properties" not in schema and schema.get("oneOf"):
                schema = schema["oneOf"][0]
            elif "properties" not in schema and schema.get("allOf"):
                schema = schema["allOf"][0]
            else:
                return schema
