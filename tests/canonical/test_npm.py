"""A YAML reader of other origin, npm's `yaml`, reads canonical bytes as we do: 1.2, and 1.1."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from medperf_git.canonical.document import Document, emit, parse
from tests.canonical.strategies import TRAPS, mappings
from tests.support.simulator import full_registry

FOLDER: Final = Path(__file__).parent / "npm"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the one package that the lock file pins."""
    folder: Path = tmp_path_factory.mktemp("npm")
    for file in FOLDER.iterdir():
        shutil.copy(file, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def typed(value: Any) -> Any:
    """As `read.mjs` writes it."""
    if isinstance(value, bool):
        return ["boolean", value]
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, float):
        return ["float", value]
    if isinstance(value, list):
        return ["list", [typed(item) for item in value]]
    if isinstance(value, dict):
        return ["mapping", sorted([key, typed(inner)] for key, inner in value.items())]
    return ["string", value]


def in_order(value: Any) -> Any:
    """JavaScript puts keys that look like array indices first: keys sorted again."""
    name, inner = value
    if name == "list":
        return [name, [in_order(item) for item in inner]]
    if name == "mapping":
        return [name, sorted([key, in_order(item)] for key, item in inner)]
    # JSON of JavaScript spells 4e16 without a point.
    return [name, float(inner)] if name == "float" else value


def assert_same(reader: Path, payloads: list[bytes]) -> None:
    given = json.dumps([base64.b64encode(payload).decode() for payload in payloads])
    done = subprocess.run(
        ["node", "read.mjs"],
        cwd=reader,
        input=given,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    for payload, answers in zip(payloads, json.loads(done.stdout), strict=True):
        wanted = typed(parse(payload).data)
        assert [in_order(answer) for answer in answers] == [wanted, wanted], payload.decode()


def test_every_record_of_a_registry(reader: Path) -> None:
    files = full_registry().tree.files
    assert_same(reader, [data for path, (_, data) in files.items() if path.endswith(".yaml")])


def test_what_readers_differ_about(reader: Path) -> None:
    assert_same(reader, [emit(Document("x", {"key": trap, "list": [trap]})) for trap in TRAPS])
    assert_same(reader, [emit(Document("x", {trap: 1})) for trap in TRAPS])


@settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],  # a node each time
)
@given(st.lists(mappings, min_size=1, max_size=12))
def test_anything(reader: Path, data: list[dict[str, Any]]) -> None:
    assert_same(reader, [emit(Document("x", each)) for each in data])
