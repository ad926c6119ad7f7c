"""OpenAPI 3.0 schemas turned into JSON Schema 2020-12, lax for answers and strict for bodies.

Strict means that a property which nothing describes is refused, even where the description says
nothing about additional ones: GitHub ignores a misspelt field silently, a test must not. Prose
and examples are dropped. Nothing is validated here.

Example:
    >>> Converter({}).schema({"type": "string", "nullable": True, "description": "A name."})
    {'type': ['string', 'null']}
"""

from __future__ import annotations

from typing import Any, Final

_KEPT: Final = frozenset({
    "type", "enum", "required", "format", "pattern", "minimum", "maximum", "minLength",
    "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
})  # fmt: skip
_BRANCHES: Final = ("allOf", "anyOf", "oneOf")
_COMPONENT: Final = "#/components/schemas/"
_GONE: Final = {"repo", "user"}
"""What GitHub answers as null in a pull request's `head` once the fork, or its owner, is deleted.
Its description forbids null there: a known gap, and our one departure from it."""


class Converter:
    """Converts what operations use, and remembers the components that they refer to."""

    def __init__(self, source: dict[str, Any]) -> None:
        self._source = source
        self._wanted: dict[str, dict[str, Any]] = {"schemas": {}, "strict": {}}

    def operation(self, data: dict[str, Any]) -> dict[str, Any]:
        """`parameters`, `body` and `responses` of an operation."""
        answers = {c: self._content(r, strict=False) for c, r in data["responses"].items()}
        body = self._resolved(data["requestBody"]) if "requestBody" in data else None
        return {
            "parameters": [self._parameter(each) for each in data.get("parameters", [])],
            "body": body
            and {
                "required": body.get("required", False),
                "schema": self._content(body, strict=True),
            },
            "responses": answers,
        }

    def components(self) -> dict[str, Any]:
        """The components that were referred to."""
        for name in ("basic-error", "validation-error", "repository", "simple-user"):
            self._component(name, strict=False)
        return self._wanted

    def schema(self, data: dict[str, Any], *, strict: bool = False) -> dict[str, Any]:
        """One schema as JSON Schema."""
        if "$ref" in data:
            name = data["$ref"].removeprefix(_COMPONENT)
            out: dict[str, Any] = {"$ref": self._component(name, strict=strict)}
        else:
            out = self._inline(data, strict=strict)
        return _nullable(out) if data.get("nullable") else out

    def _inline(self, data: dict[str, Any], *, strict: bool) -> dict[str, Any]:
        out = {key: value for key, value in data.items() if key in _KEPT}
        branches = [key for key in _BRANCHES if key in data]
        closed = strict and ("properties" in data or "allOf" in data)
        for key in branches:
            inner = strict and not closed
            out[key] = [self._branch(each, inner, opened=closed) for each in data[key]]
        if "properties" in data:
            out["properties"] = {
                name: self.schema(inner, strict=strict)
                for name, inner in data["properties"].items()
            }
            if set(out["properties"]) == {"label", "ref", "repo", "sha", "user"}:
                _allow_null(out["properties"])
        if "items" in data:
            out["items"] = self.schema(data["items"], strict=strict)
        more = data.get("additionalProperties")
        if more is not None:
            out["additionalProperties"] = (
                more if isinstance(more, bool) else self.schema(more, strict=strict)
            )
        if closed and more in (None, True):
            out.pop("additionalProperties", None)
            out["unevaluatedProperties" if branches else "additionalProperties"] = False
        return out

    def _branch(self, data: dict[str, Any], strict: bool, *, opened: bool) -> dict[str, Any]:  # noqa: FBT001
        out = self.schema(data, strict=strict)
        if opened and out.get("additionalProperties") is True:
            del out["additionalProperties"]  # it would count every property as described
        return out

    def _component(self, name: str, *, strict: bool) -> str:
        kind = "strict" if strict else "schemas"
        if name not in self._wanted[kind]:
            self._wanted[kind][name] = {}  # components refer to each other in circles
            source = self._source["components"]["schemas"][name]
            self._wanted[kind][name] = self.schema(source, strict=strict)
        return f"#/{kind}/{name}"

    def _content(self, data: dict[str, Any], *, strict: bool) -> dict[str, Any] | None:
        for kind, inner in self._resolved(data).get("content", {}).items():
            if kind == "application/json":
                return self.schema(inner["schema"], strict=strict)
        return None

    def _parameter(self, data: dict[str, Any]) -> dict[str, Any]:
        found = self._resolved(data)
        return {
            "name": found["name"],
            "in": found["in"],
            "required": found.get("required", False),
            "schema": self.schema(found["schema"]),
        }

    def _resolved(self, data: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in data:
            _, _, kind, name = data["$ref"].split("/")
            data = self._source["components"][kind][name]
        return data


def _allow_null(properties: dict[str, Any]) -> None:
    for name in _GONE:
        properties[name] = _nullable(properties[name])


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "type" not in schema or any(key in schema for key in _BRANCHES):
        return {"anyOf": [schema, {"type": "null"}]}
    out = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        out["enum"] = [*dict.fromkeys([*schema["enum"], None])]
    return out
