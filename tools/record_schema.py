"""JSON Schemas of records, made from the models and the docstrings of their fields.

Only files are made from them (``generate.py``): no command at a site reads our source. Does not
validate (``medperf_git.records.schema`` does).

Example:
    >>> generate("control")["properties"]["root"]["description"]
    'The revision of root.yaml that is current.'
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from medperf_git.records.base import Part
from medperf_git.records.kinds import kind_named

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def generate(kind: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind, from its model.

    Raises:
        RecordError: no such kind.
    """
    schema = _tidy(kind_named(kind).model.model_json_schema(mode="validation"))
    return {"$schema": DIALECT, "$id": f"mpgit:{kind}-v1", **schema}


def _tidy(node: Any) -> Any:
    """Records spell defaults out and have no nulls: make the schema say so."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    properties = node.get("properties")
    if isinstance(properties, dict):
        node["required"] = [
            name
            for name, field in properties.items()
            if not ("default" in field and field["default"] is None)
        ]
    options = [option for option in node.get("anyOf", []) if option != {"type": "null"}]
    tidied = {
        key: _tidy(value)
        for key, value in node.items()
        if key != "anyOf" and not (key == "default" and value is None)
    }
    if len(options) == 1:
        return {**_tidy(options[0]), **tidied}
    if options:
        tidied["anyOf"] = _tidy(options)
    return tidied


def _docstrings(part: type) -> dict[str, str]:
    """The docstrings below a class's own fields, by the fields' names."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(part))).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101 (a class's source)
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(body.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def _describe(part: type[Part], inherited: Mapping[str, str]) -> None:
    """Makes docstrings the descriptions of the fields of a model and of all derived from it."""
    texts = {**inherited, **_docstrings(part)}
    for name, field in part.model_fields.items():
        field.description = field.description or texts.get(name)
    if part.__pydantic_complete__:  # a default made it be built
        part.model_rebuild(force=True)
    for derived in part.__subclasses__():
        _describe(derived, texts)


_describe(Part, {})
