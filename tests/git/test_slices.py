"""A long history comes in slices: all of it, none of them twice, whatever interrupts it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from medperf_git.errors import GitError
from medperf_git.git.environment import variables
from medperf_git.git.fetch import Fetch
from medperf_git.git.progress import Limit, StoppedError
from medperf_git.git.slices import begun
from medperf_git.git.transport import Transport
from medperf_git.vcs import Repository
from tests.support.pack_hook import PackHook
from tests.support.servers import over_http, over_ssh

MAIN = "refs/heads/main"
OURS = "refs/remotes/host/"
HERE = [f"+refs/heads/*:{OURS}*"]
COMMITS = 600
OBJECTS = 3
"""Of each commit: itself, its tree, a file."""
MOST = 450
STEP = 128


class Server:
    """A repository with a long history, and a branch beside it."""

    def __init__(self, folder: Path) -> None:
        self.path = Repository.create(folder / "server.git").path
        self.hook = PackHook(folder, MOST)
        self.filters(allowed=True)
        self.ids(allowed=True)
        self.write("main", range(COMMITS))
        self.write("x", range(COMMITS, COMMITS + 3), "refs/heads/main")

    def filters(self, *, allowed: bool) -> None:
        self.git("config", "uploadpack.allowFilter", str(allowed).lower())

    def ids(self, *, allowed: bool) -> None:
        self.git("config", "uploadpack.allowAnySHA1InWant", str(allowed).lower())

    def write(self, branch: str, numbers: range, parent: str = "") -> None:
        """Commits with a new file each, on top of each other."""
        stream = []
        for number in numbers:
            begin = f"from {parent}^0\n" if parent and number == numbers.start else ""
            stream.append(
                f"commit refs/heads/{branch}\n"
                f"committer A <a@x.org> {1_700_000_000 + number} +0000\n"
                f"data <<E\n{number}\nE\n{begin}M 100644 inline f{number % 7}\n"
                f"data <<E\n{number}\nE\n\n"
            )
        command = ["git", "-C", str(self.path), "fast-import", "--quiet", "--force"]
        subprocess.run(command, input="".join(stream).encode(), check=True)

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-C", self.path, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    @property
    def heads(self) -> dict[str, str]:
        lines = self.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)").splitlines()
        return dict(line.split(" ") for line in lines)


@dataclass(frozen=True)
class Client:
    """A mirror, and the way from it to the server."""

    mirror: Repository
    transport: Transport

    def fetch(self, *, narrow: bool = False, most: int = MOST, **changes: Any) -> None:
        transport = replace(self.transport, **changes)
        Fetch(transport, transport.url, most, STEP).refs(HERE, narrow=narrow)

    def has_all(self) -> None:
        words = ["fsck", "--strict", "--no-dangling", "--connectivity-only"]
        subprocess.run(["git", "-C", self.mirror.path, *words], check=True, capture_output=True)

    @property
    def refs(self) -> dict[str, str]:
        found = self.mirror.refs("refs/")
        return {name.removeprefix(OURS): oid for name, oid in found.items()}

    @property
    def packs(self) -> Path:
        return self.transport.packs

    def kept(self) -> set[str]:
        return {path.stem for path in self.packs.glob("*.keep")}


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.fixture(params=["file", "http", "ssh"])
def client(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Client]:
    settings = {"GIT_CONFIG_GLOBAL": str(server.hook.settings)}
    with ExitStack() as stack:
        url, more = server.path.as_uri(), settings
        if request.param == "http":
            url, more = stack.enter_context(over_http(tmp_path / "web", server.path, **settings))
        elif request.param == "ssh":
            url, more = stack.enter_context(over_ssh(tmp_path / "ssh", server.path, **settings))
        mirror = stack.enter_context(Repository.create(tmp_path / "client.git"))
        environment = {**os.environ, **variables(mirror.path), **more}
        packs = mirror.path / "objects" / "pack"
        yield Client(mirror, Transport(mirror.path, packs, environment, url))


by_file = pytest.mark.parametrize("client", ["file"], indirect=True)


def test_all_of_it_comes_and_nothing_of_the_slices_stays(server: Server, client: Client) -> None:
    told: list[tuple[int, int]] = []
    client.fetch(tell=lambda *step: told.append(step))
    whole, commits, *slices = server.hook.sent()
    assert whole == (COMMITS + 3) * OBJECTS
    assert commits == COMMITS + 3
    assert slices == [STEP * OBJECTS] * 4 + [(COMMITS + 3 - 4 * STEP) * OBJECTS]
    assert client.refs == server.heads
    client.has_all()
    assert not begun(client.mirror.path)
    assert {path.name for path in client.mirror.path.iterdir()} <= {
        *("HEAD", "branches", "config", "description", "hooks", "info", "objects", "refs"),
        "packed-refs",
    }
    assert told == sorted(told)
    assert told[-1] == (1000, 1000)


@by_file
def test_a_short_history_comes_at_once(server: Server, client: Client) -> None:
    server.hook.rest()
    client.fetch(most=10_000)
    assert len(list(client.packs.glob("*.pack"))) == 1
    assert client.refs == server.heads
    client.has_all()


@by_file
def test_a_slice_with_too_much_in_it_is_cut_again(server: Server, client: Client) -> None:
    Fetch(client.transport, "", MOST, 512).refs(HERE)
    _, _, *slices = server.hook.sent()
    assert slices[:2] == [512 * OBJECTS, 256 * OBJECTS]
    assert set(slices[2:-1]) == {STEP * OBJECTS}
    assert client.refs == server.heads
    client.has_all()


def test_a_server_without_filters_sends_all_at_once(server: Server, client: Client) -> None:
    server.filters(allowed=False)
    server.hook.rest()
    with pytest.raises(StoppedError):
        client.transport.bring(
            {MAIN: server.heads["main"]}, chosen="tree:0", limit=Limit(filtered=True)
        )
    client.fetch(most=1)
    assert client.refs == server.heads
    assert not begun(client.mirror.path)
    client.has_all()


def test_a_server_that_gives_only_what_it_lists_sends_all_at_once(
    server: Server, client: Client
) -> None:
    """One that does not speak protocol version 2: an sshd passes that on only where it is told."""
    server.ids(allowed=False)
    server.hook.rest()
    client.fetch(
        most=1,
        environment={
            **client.transport.environment,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "protocol.version",
            "GIT_CONFIG_VALUE_0": "0",
        },
    )
    assert client.refs == server.heads
    assert not begun(client.mirror.path)
    client.has_all()


def test_who_was_interrupted_goes_on(server: Server, client: Client) -> None:
    server.hook.dies_after(4)
    with pytest.raises(GitError, match="can't fetch from") as caught:
        client.fetch()
    assert "goes on from there" in str(caught.value.advice)
    assert begun(client.mirror.path)
    assert OURS not in client.refs
    server.hook.dies_after(None)
    server.hook.sent()
    client.fetch()
    assert server.hook.sent() == [STEP * OBJECTS] * 2 + [(COMMITS + 3 - 4 * STEP) * OBJECTS]
    assert client.refs == server.heads
    assert not begun(client.mirror.path)
    client.has_all()


@by_file
def test_more_came_while_it_was_interrupted(server: Server, client: Client) -> None:
    server.hook.dies_after(4)
    with pytest.raises(GitError):
        client.fetch()
    server.hook.dies_after(None)
    server.write("main", range(1000, 1050), "refs/heads/main")
    server.hook.dies_after(0)
    with pytest.raises(GitError):  # the new commits do not come either
        client.fetch()
    server.hook.dies_after(None)
    server.hook.sent()
    client.fetch()
    commits, *slices = server.hook.sent()
    assert commits == 50
    assert sum(slices) == (COMMITS + 53 - 2 * STEP) * OBJECTS
    assert client.refs == server.heads
    client.has_all()


@by_file
def test_it_was_rewritten_while_it_was_interrupted(server: Server, client: Client) -> None:
    server.hook.dies_after(4)
    with pytest.raises(GitError):
        client.fetch()
    server.hook.dies_after(None)
    server.git("update-ref", "-d", "refs/heads/x")
    server.git("update-ref", "-d", MAIN)
    server.write("main", range(1000, 1000 + COMMITS))
    client.fetch()
    assert client.refs == server.heads
    assert not begun(client.mirror.path)
    client.has_all()


def test_the_host_is_gone_in_the_middle(server: Server, client: Client) -> None:
    server.hook.dies_after(4)
    moved = server.path.with_suffix(".away")
    with pytest.raises(GitError):
        client.fetch()
    server.path.rename(moved)
    with pytest.raises(GitError, match="can't fetch from") as caught:
        client.fetch()
    assert "goes on from there" in str(caught.value.advice)
    moved.rename(server.path)
    server.hook.dies_after(None)
    client.fetch()
    assert client.refs == server.heads
    client.has_all()


def test_without_files(server: Server, client: Client) -> None:
    client.fetch(narrow=True)
    _, commits, *slices = server.hook.sent()
    assert commits == COMMITS + 3
    assert slices == [STEP * 2] * 4 + [(COMMITS + 3 - 4 * STEP) * 2]
    assert client.refs == server.heads
    blob = server.git("rev-parse", "main:f1")
    tree = server.git("rev-parse", "main^{tree}")
    assert client.mirror.lacking([tree, blob]) == [blob]


@by_file
def test_slices_are_not_put_together_again(server: Server, client: Client) -> None:
    """That would need the memory that they spare."""
    client.fetch()
    kept = client.kept()
    assert len(kept) == 5
    for number in range(55):
        server.write("main", range(2000 + number, 2001 + number), "refs/heads/main")
        client.fetch()
    assert client.kept() == kept
    assert kept < {path.stem for path in client.packs.glob("*.pack")}
    assert len(list(client.packs.glob("*.pack"))) < 50
    client.has_all()


def test_nothing_stays_of_a_pack_that_was_stopped(server: Server, client: Client) -> None:
    with pytest.raises(StoppedError):
        client.transport.bring({MAIN: server.heads["main"]}, limit=Limit(MOST))
    assert list(client.packs.iterdir()) == []
    assert client.mirror.lacking([server.heads["main"]]) == [server.heads["main"]]
