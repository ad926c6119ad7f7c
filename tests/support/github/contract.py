"""Requests and answers of GitHub's REST API, held against GitHub's own published description.

`request` and `response` return what is wrong, in plain words; nothing is wrong where the list is
empty. Authentication, headers and what an operation means are not judged. Statuses that any
operation may answer (401, 403, 404, redirects, 5xx …) need not be described for each: the
description leaves most of them out.

Example::

    Contract().request("POST", "/repos/a/b/pulls", {}, {"head": "x", "base": "main", "tilte": ""})
    # ["POST /repos/{owner}/{repo}/pulls: body: … 'tilte' was unexpected"]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.support.github.description import description

PREFIX: Final = "/api/v3"
"""What GitHub Enterprise Server puts before every path."""
ANYWHERE: Final = frozenset({301, 302, 307, 401, 403, 404, 422, 429})
"""Statuses of refusals and redirects that need not be described; all 5xx besides."""
_URN: Final = "urn:github"
_BY_ID: Final = re.compile(r"/repositories/\d+(?=/|$)")
_FORMATS: Final = FormatChecker(formats=())
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@_FORMATS.checks("date-time")
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(_TIME.fullmatch(value))


@_FORMATS.checks("uri")
def _is_address(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


def api_path(path: str) -> str:
    """A path as the description spells it: without a server's prefix, repositories by name."""
    bare = path.removeprefix(PREFIX) if path.startswith(f"{PREFIX}/") else path
    return _BY_ID.sub("/repos/by/id", bare, count=1)


class Contract:
    """GitHub's description, ready to judge."""

    def __init__(self) -> None:
        self._data = description()
        # GitHub's generator leaves no `$ref` that leads out of the document.
        resource: Resource[Any] = Resource.from_contents(
            self._data, default_specification=DRAFT202012
        )
        self._registry: Registry[Any] = Registry().with_resource(_URN, resource)
        self._templates = [(name, *_pattern(name)) for name in self._data["operations"]]

    @property
    def version(self) -> str:
        """The description's version."""
        version: str = self._data["version"]
        return version

    def request(
        self, method: str, path: str, query: Mapping[str, Any], body: Any = None
    ) -> list[str]:
        """What is wrong with a request; `body` is parsed JSON, or None where there is none."""
        found = self._find(method, path)
        if found is None:
            return [self._unknown(method, path)]
        name, values = found
        operation = self._data["operations"][name]
        texts = [*self._parameters(name, values, query)]
        described = operation["body"]
        if described is None:
            texts += ["takes no body"] if body is not None else []
        elif body is not None:
            texts += self._faults(_at("operations", name, "body", "schema"), body, "body")
        elif described["required"]:
            texts.append("needs a body")
        return [f"{name}: {text}" for text in texts]

    def response(self, method: str, path: str, status: int, body: Any = None) -> list[str]:
        """What is wrong with an answer."""
        found = self._find(method, path)
        if found is None:
            return [] if status in ANYWHERE or status >= 500 else [self._unknown(method, path)]
        name, _ = found
        answers = self._data["operations"][name]["responses"]
        where = f"{name}: answer {status}"
        if str(status) not in answers:
            if status in ANYWHERE:
                return [
                    f"{where}{t}" for t in self._faults(_at("schemas", "basic-error"), body, "")
                ]
            return [] if status >= 500 else [f"{where} is not described"]
        if answers[str(status)] is None:
            return []
        if status >= 500 and body is None:
            return []
        pointer = _at("operations", name, "responses", str(status))
        return [f"{where}{text}" for text in self._faults(pointer, body, "")]

    def schema(self, pointer: str) -> dict[str, Any]:
        """The part of the cut that a pointer such as `#/schemas/label` leads to."""
        part: dict[str, Any] = self._data
        for word in pointer.removeprefix("#/").split("/"):
            part = part[word.replace("~1", "/").replace("~0", "~")]
        return part

    def _find(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        bare = api_path(path)
        for name, verb, pattern in self._templates:
            if verb == method.upper() and (match := pattern.fullmatch(bare)):
                return name, {key: unquote(value) for key, value in match.groupdict().items()}
        return None

    def _unknown(self, method: str, path: str) -> str:
        bare = api_path(path)
        for name in self._data["names"]:
            verb, pattern = _pattern(name)
            if verb == method.upper() and pattern.fullmatch(bare):
                return f"{name}: GitHub has it, but it is not in operations.py"
        return f"{method.upper()} {bare}: GitHub describes no such operation"

    def _parameters(
        self, name: str, values: Mapping[str, str], query: Mapping[str, Any]
    ) -> Iterator[str]:
        described = {
            (each["in"], each["name"]): each
            for each in self._data["operations"][name]["parameters"]
        }
        given = {("path", key): value for key, value in values.items()}
        given |= {("query", key): value for key, value in query.items()}
        for (place, key), value in given.items():
            if (place, key) not in described:
                # A template's word that the description forgot to describe is no caller's fault.
                if place == "query":
                    yield f"unknown query parameter {key!r}"
                continue
            schema = described[place, key]["schema"]
            for fault in self._validator(schema).iter_errors(_typed(schema, value)):
                yield f"{place} parameter {key!r}: {fault.message}"
        for (place, key), each in described.items():
            if place == "query" and each["required"] and key not in query:
                yield f"missing query parameter {key!r}"

    def _validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        return Draft202012Validator(schema, registry=self._registry, format_checker=_FORMATS)

    def _faults(self, pointer: str, value: Any, name: str) -> list[str]:
        found = self._validator({"$ref": _URN + pointer}).iter_errors(value)
        texts = (_said(each) for fault in found for each in _causes(fault))
        return [f"{name}{text}" for text in dict.fromkeys(texts)]


def _said(fault: ValidationError) -> str:
    place = "".join(
        f".{each}" if isinstance(each, str) else f"[{each}]" for each in fault.absolute_path
    )
    message = fault.message if len(fault.message) <= 300 else f"{fault.message[:300]} …"
    return f"{place}: {message}"


def _causes(fault: ValidationError) -> Iterator[ValidationError]:
    """The faults behind one of a choice, of the branch that was most likely meant."""
    if not fault.context:
        yield fault
        return
    branches: dict[Any, list[ValidationError]] = {}
    for inner in fault.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    meant = min(branches.values(), key=lambda faults: (_is_another(faults), len(faults)))
    for inner in meant:
        yield from _causes(inner)


def _is_another(faults: list[ValidationError]) -> bool:
    """Whether a branch is for another `type` of thing, or for null."""
    return any(
        (fault.validator in ("enum", "const") and list(fault.relative_path) == ["type"])
        or (fault.validator == "type" and not fault.relative_path)
        for fault in faults
    )


@cache
def _pattern(name: str) -> tuple[str, re.Pattern[str]]:
    method, _, template = name.partition(" ")
    parts = re.split(r"\{(\w+)\}", template)
    # Names between braces are every other part.
    words = [f"(?P<{p}>[^/]+)" if n % 2 else re.escape(p) for n, p in enumerate(parts)]
    return method, re.compile("".join(words))


def _typed(schema: Mapping[str, Any], value: Any) -> Any:
    """A query's text as what its schema wants, where it can be read so."""
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?\d+", str(value)):
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def _at(*words: str) -> str:
    return "#/" + "/".join(word.replace("~", "~0").replace("/", "~1") for word in words)
