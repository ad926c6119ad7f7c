"""JSON Schemas: shipped in the package, used by the check.

``schema_faults`` validates with the shipped file, never with one from a tree that is judged. Does
not make them: ``tools/record_schema.py`` does, from the models.

Example:
    >>> schema_faults("control", {"kind": "control"})[0].field
    'id'
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jsonschema_rs import Draft202012Validator

from medperf_git.records.kinds import KINDS, kind_named


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """One place where data fails its schema."""

    field: str
    message: str


def schema_file(kind: str) -> str:
    """The schema's file name."""
    return f"{kind}.schema.json"


def schema_text(kind: str) -> str:
    """The shipped schema's text.

    Raises:
        RecordError: no such kind.
    """
    name = schema_file(kind_named(kind).name)
    return files("medperf_git").joinpath("schemas", name).read_text("utf-8")


@lru_cache(maxsize=len(KINDS))
def _shipped(kind: str) -> Any:
    return json.loads(schema_text(kind))


@lru_cache(maxsize=len(KINDS))
def _quick(kind: str) -> Draft202012Validator:
    """A validator whose yes counts: thirty times as fast as the one that explains a no."""
    return Draft202012Validator(_shipped(kind))


@lru_cache(maxsize=len(KINDS))
def _validator(kind: str) -> Any:
    # jsonschema takes 0.15 s to import; commands that meet no faulty record do without it.
    from jsonschema import Draft202012Validator as Explaining  # noqa: PLC0415

    return Explaining(_shipped(kind))


def _pertinent(errors: Iterable[Any]) -> Iterator[Any]:
    """The errors, but of a choice between forms those of the form that the data says it has."""
    for error in errors:
        forms: dict[Any, list[Any]] = {}
        for inner in error.context or ():
            forms.setdefault(inner.relative_schema_path[0], []).append(inner)
        meant = [
            inside
            for inside in forms.values()
            if all(inner.validator not in ("const", "type") for inner in inside)
        ]
        if len(meant) == 1:
            yield from _pertinent(meant[0])
        else:
            yield error


def schema_faults(kind: str, data: Any) -> list[SchemaFault]:
    """Where `data` fails the kind's schema, in a stable order; empty when it is valid.

    Raises:
        RecordError: no such kind.
    """
    with suppress(ValueError):  # text that is none, a number beyond its range: it can't say yes
        if _quick(kind).is_valid(data):
            return []
    faults = []
    for error in _pertinent(_validator(kind).iter_errors(data)):
        field = ".".join(str(part) for part in error.absolute_path)
        if error.validator == "required":
            missing = error.message.split("'")[1]
            faults.append(SchemaFault(f"{field}.{missing}".strip("."), "required, but missing"))
        else:
            faults.append(SchemaFault(field or "(top)", error.message[:300]))
    return sorted(faults, key=lambda fault: (fault.field, fault.message))
