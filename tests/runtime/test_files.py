from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from medperf_git.canonical.digest import fingerprint
from medperf_git.errors import ArtefactError
from medperf_git.runtime.files import IGNORED_IN_SOURCES, digest_file, digest_tree


def make(folder: Path, files: dict[str, bytes]) -> Path:
    for name, payload in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    return folder


def test_a_tree_is_read_whole_and_in_order(tmp_path: Path) -> None:
    files = {"b/z": b"1", "b.txt": b"22", ".hidden": b"", "b/__pycache__/x": b"4", "ä": b"5"}
    read: list[int] = []
    found = digest_tree(make(tmp_path, files), read.append)
    assert [file.path for file in found] == [".hidden", "b.txt", "b/__pycache__/x", "b/z", "ä"]
    assert [file.sha256 for file in found if file.path == "b.txt"] == [
        hashlib.sha256(b"22").hexdigest()
    ]
    assert sum(read) == sum(file.size for file in found) == 5
    sources = digest_tree(tmp_path, ignore=IGNORED_IN_SOURCES)
    assert len(sources) == len(found) - 1


def test_every_change_is_seen(tmp_path: Path) -> None:
    first = fingerprint(digest_tree(make(tmp_path / "1", {"a": b"x", "b": b"y"})))
    for other in ({"a": b"y", "b": b"x"}, {"a": b"x", "c": b"y"}, {"a": b"x"}, {"a/b": b"xy"}):
        folder = make(tmp_path / str(sorted(other)).replace("/", "_") / str(len(other)), other)
        assert fingerprint(digest_tree(folder)) != first
    assert fingerprint(digest_tree(make(tmp_path / "2", {"b": b"y", "a": b"x"}))) == first


@pytest.mark.parametrize("kind", ["link", "folder link", "pipe", "socket"])
def test_what_is_no_file_is_refused_by_name(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path, {"in/a": b""}) / "in" / "odd"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            monkeypatch.chdir(path.parent)  # a socket's path must be short
            server.bind("odd")
    else:
        path.symlink_to(tmp_path if kind == "folder link" else path.with_name("a"))
    for read in (lambda: digest_tree(tmp_path), lambda: digest_file(path)):
        with pytest.raises(ArtefactError, match=kind.rpartition(" ")[2]) as caught:
            read()
        assert caught.value.code == "not-plain"
        assert str(caught.value.place).endswith("odd")


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="not a folder"):
        digest_tree(tmp_path / "gone")
    with pytest.raises(ArtefactError, match="No such file"):
        digest_file(tmp_path / "gone")
