"""What the plumbing brings is whole, checked, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.git.environment import variables
from medperf_git.git.transport import Transport, TransportError
from medperf_git.vcs import Repository
from tests.support.servers import over_http

MAIN = "refs/heads/main"
AUTHOR = ("Kentucky", "ky@example.org")


class Two:
    """A server with a history, and a client that has nothing."""

    def __init__(self, folder: Path) -> None:
        self.server = Repository.create(folder / "server.git")
        self.client = Repository.create(folder / "client.git")
        self.blobs = [self.server.write_blob(b"%d" % number) for number in range(150)]
        tree = subprocess.run(
            ["git", "-C", self.server.path, "mktree"],
            input="".join(f"100644 blob {oid}\tf{at}\n" for at, oid in enumerate(self.blobs)),
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        self.main = self.server.write_commit(tree, [], "Begin", AUTHOR)
        self.server.set_ref(MAIN, self.main)
        for name in ("allowFilter", "allowAnySHA1InWant"):
            words = ("config", f"uploadpack.{name}", "true")
            subprocess.run(["git", "-C", self.server.path, *words], check=True)

    def transport(self, url: str) -> Transport:
        environment = {**os.environ, **variables(self.client.path)}
        return Transport(self.client.path, self.client.path / "objects/pack", environment, url)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    made = Two(tmp_path)
    with made.server, made.client:
        yield made


@pytest.fixture(params=["file", "http"])
def url(two: Two, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "file":
        yield two.server.path.as_uri()
    else:
        with over_http(tmp_path / "web", two.server.path) as (address, _):
            yield address


def test_everything_comes_and_no_lock_stays(two: Two, url: str) -> None:
    two.transport(url).bring({MAIN: two.main})
    assert two.client.lacking([two.main, *two.blobs]) == []
    assert not list((two.client.path / "objects" / "pack").glob("*.keep"))
    assert two.client.refs("refs/") == {}


def test_without_files_and_some_by_their_ids(two: Two, url: str) -> None:
    transport = two.transport(url)
    transport.bring({MAIN: two.main}, chosen="blob:none")
    assert two.client.lacking([two.main, *two.blobs]) == two.blobs
    some = two.blobs[:20]
    transport.bring({oid: oid for oid in some}, chosen="blob:none")
    assert two.client.lacking(two.blobs) == two.blobs[20:]
    transport.bring({MAIN: two.main}, again=True)
    assert two.client.lacking(two.blobs) == []
    assert "promisor" not in (two.client.path / "config").read_text()


def test_what_is_not_there_is_an_error(two: Two, url: str) -> None:
    with pytest.raises(TransportError) as caught:
        two.transport(url).bring({"ab" * 20: "ab" * 20})
    assert "ab" * 20 in caught.value.stderr


def test_damaged_objects_are_refused(two: Two, url: str) -> None:
    entry = bytes.fromhex(two.blobs[0])
    tree = two.server.write_object(b"tree", b"100644 .git\0" + entry)
    bad = two.server.write_commit(tree, [], "bad", AUTHOR)
    two.server.set_ref(MAIN, bad)
    with pytest.raises(TransportError):
        two.transport(url).bring({MAIN: bad})
    assert two.client.lacking([bad]) == [bad]
