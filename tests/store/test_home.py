"""The client's own files: where they are, and damaged ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medperf_git.errors import InputError
from medperf_git.store.home import Home, RegistryEntry, read_json, write_json


def entry(name: str, **more: Any) -> RegistryEntry:
    return RegistryEntry(name=name, url="/r.git", genesis="0" * 64, **more)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_everything_lies_below_the_home(home: Home) -> None:
    assert home.top is not None
    for path in (
        home.site_file,
        home.artefacts,
        home.scratch,
        home.key("laptop"),
        home.mirror("r"),
        home.registry_lock("r"),
        home.outbox("r"),
        home.dataset("r", "ky/opt"),
        home.execution("r", "a" * 64, "b" * 64, "c" * 64),
    ):
        assert home.top in path.parents
    assert not home.top.exists()


def test_the_environment_names_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPGIT_HOME", str(tmp_path))
    assert Home.from_environment() == Home(tmp_path)
    monkeypatch.setenv("MPGIT_HOME", "here")
    assert Home.from_environment().top == Path.cwd() / "here"
    for empty in ("", None):
        if empty is None:
            monkeypatch.delenv("MPGIT_HOME")
        else:
            monkeypatch.setenv("MPGIT_HOME", empty)
        assert Home.from_environment() == Home(None)


def test_without_one_the_xdg_directories_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("config", "data", "cache"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    home = Home()
    assert home.config == tmp_path / "config" / "mpgit"
    assert home.data == tmp_path / "data" / "mpgit"
    assert home.cache == tmp_path / "cache" / "mpgit"


def test_registries_keep_their_order(home: Home) -> None:
    for name in ("b", "a"):
        home.save_registry(entry(name))
    home.save_registry(entry("b", participant="ky"))
    assert [e.name for e in home.configuration().registries] == ["b", "a"]
    assert home.registry().participant == "ky"
    assert home.registry("a").participant is None


def test_private_files_are_private(home: Home) -> None:
    home.save_registry(entry("a"))
    path = home.config / "registries.json"
    assert path.stat().st_mode & 0o077 == 0
    assert not list(home.config.glob("*.part"))


BAD_NAMES = ["", "A", "a b", "../x", "a/b", ".", "a.pub", "-a", "a-", "a--b", "é", "x" * 65, "a\n"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_what_is_no_name_for_a_key(home: Home, name: str) -> None:
    with pytest.raises(InputError, match="is no name for a key"):
        home.key(name)


def test_small_files_come_back(home: Home) -> None:
    path = home.data / "x.json"
    assert read_json(path) is None
    write_json(path, {"b": [1, 2.5, None, True], "a": "ü"})
    assert read_json(path) == {"b": [1, 2.5, None, True], "a": "ü"}


DAMAGED = {
    "cut off": b'{"a": ',
    "no bytes": b"",
    "a list": b"[1]",
    "text": b'"a"',
    "not UTF-8": b'{"a": "\xff"}',
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_named_and_kept(home: Home, name: str) -> None:
    path = home.data / "x.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(DAMAGED[name])
    with pytest.raises(InputError) as caught:
        read_json(path)
    assert (caught.value.code, caught.value.place) == ("damaged-file", str(path))
    assert str(path) in (caught.value.advice or "")
    assert path.read_bytes() == DAMAGED[name]


def test_executions_differ_by_all_that_they_pin(home: Home) -> None:
    a, b = "a" * 64, "b" * 64
    found = {home.execution("r", *pins) for pins in ((a, a, a), (a, a, b), (a, b, a), (b, a, a))}
    assert len(found) == 4
