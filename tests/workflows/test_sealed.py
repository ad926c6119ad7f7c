"""A sealed file is read back as it was written, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medperf_git.store.home import Home
from medperf_git.workflows.sealed import seal, unseal

DATA = {"head": "ab" * 20, "commits": 3}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def changed(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a value": lambda path: changed(path, commits=4),
    "a name more": lambda path: changed(path, more=1),
    "no code": lambda path: path.write_text(json.dumps(DATA)),
    "a code that is no text": lambda path: changed(path, code=7),
    "a code that is not ASCII": lambda path: changed(path, code="é" * 64),
    "cut off": lambda path: path.write_text(path.read_text()[:20]),
    "empty": lambda path: path.write_text(""),
    "gone": lambda path: path.rename(path.with_name("away")).touch(),
}


def test_what_was_sealed_is_read(home: Home) -> None:
    path = home.part("r")
    assert unseal(home, path) is None
    seal(home, path, DATA)
    assert unseal(home, path) == DATA
    assert home.audit_key.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_not(home: Home, name: str) -> None:
    path = home.part("r")
    seal(home, path, DATA)
    CHANGES[name](path)
    assert unseal(home, path) is None


def test_nor_what_has_another_name_or_home(home: Home, tmp_path: Path) -> None:
    path = home.part("r")
    seal(home, path, DATA)
    for other, at in ((home, home.synced("r")), (Home(tmp_path / "other"), path)):
        at.write_bytes(path.read_bytes())
        assert unseal(other, at) is None
