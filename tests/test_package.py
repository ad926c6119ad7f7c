"""What holds for the package as a whole: docstrings, schemas, generated files."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from medperf_git.records.kinds import KINDS
from medperf_git.records.schema import schema_file, schema_text

TOP = Path(__file__).resolve().parent.parent
MODULES = sorted(str(path.relative_to(TOP)) for path in (TOP / "medperf_git").rglob("*.py"))
EXAMPLES = ("Example:", "Example::", "Examples:")


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_for(name: str) -> None:
    docstring = ast.get_docstring(ast.parse((TOP / name).read_text("utf-8")))
    assert docstring, "no docstring"
    if not name.endswith("__init__.py"):
        lines = [line.strip() for line in docstring.splitlines()]
        assert any(line.startswith(EXAMPLES) for line in lines), "no example"


def test_generated_files_did_not_drift() -> None:
    script = TOP / "tools" / "generate.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_shipped_schemas_are_schemas(kind: str) -> None:
    assert (TOP / "schemas" / schema_file(kind)).read_text("utf-8") == schema_text(kind)
    Draft202012Validator.check_schema(_schema(kind))


def _schema(kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_text(kind))
    return schema


def _mappings(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield schema["title"], schema
    yield from schema.get("$defs", {}).items()


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described_and_nothing_else_is_allowed(kind: str) -> None:
    for title, mapping in _mappings(_schema(kind)):
        assert mapping.get("description"), title
        assert mapping["additionalProperties"] is False, title
        for name, field in mapping["properties"].items():
            assert field.get("description"), f"{title}.{name}"
