"""What is fetched is all there and joined, although others push meanwhile."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from medperf_git.errors import GitError
from medperf_git.git.environment import variables
from medperf_git.git.fetch import Fetch, wanted_by
from medperf_git.git.transport import Transport
from medperf_git.vcs import Repository
from tests.support.servers import over_http

MAIN = "refs/heads/main"
OURS = "refs/remotes/host/"
HERE = [f"+refs/heads/*:{OURS}*"]
AUTHOR = ("Kentucky", "ky@example.org")
THERE = {"refs/heads/main": "a", "refs/heads/requests/x/y": "b", "refs/pull/3/head": "c"}

REFSPECS: dict[str, tuple[list[str], dict[str, tuple[str, str]]]] = {
    "all branches": (
        ["+refs/heads/*:refs/remotes/origin/*"],
        {
            "refs/remotes/origin/main": ("refs/heads/main", "a"),
            "refs/remotes/origin/requests/x/y": ("refs/heads/requests/x/y", "b"),
        },
    ),
    "what stands between": (
        ["+refs/pull/*/head:refs/remotes/pull/*"],
        {"refs/remotes/pull/3": ("refs/pull/3/head", "c")},
    ),
    "one": (["refs/heads/main:refs/main"], {"refs/main": ("refs/heads/main", "a")}),
    "one that is not there": (["refs/heads/x:refs/x"], {}),
    "none": ([], {}),
}


@pytest.mark.parametrize("name", REFSPECS)
def test_where_refs_go(name: str) -> None:
    refspecs, wanted = REFSPECS[name]
    assert wanted_by(refspecs, THERE) == wanted


@pytest.mark.parametrize("refspec", ["refs/heads/main", "refs/*:refs/x", "a/*/*:b/*/*"])
def test_no_refspec_of_ours(refspec: str) -> None:
    with pytest.raises(GitError):
        wanted_by([refspec], THERE)


MEANWHILE: list[Callable[[], object]] = []


class Busy(Fetch):
    """Somebody does something each time after the refs were listed."""

    def _there(self, refspecs: Sequence[str]) -> dict[str, str]:
        there = super()._there(refspecs)
        if MEANWHILE:
            MEANWHILE.pop(0)()
        return there


class Server:
    """A repository that others push to."""

    def __init__(self, path: Path) -> None:
        self.repository = Repository.create(path)
        self.count = 0

    def push(self, name: str, *parents: str) -> str:
        self.count += 1
        blob = self.repository.write_blob(b"%d" % self.count)
        tree = self.repository.write_object(b"tree", b"100644 a\0" + bytes.fromhex(blob))
        made = self.repository.write_commit(tree, list(parents), str(self.count), AUTHOR)
        self.repository.set_ref(f"refs/heads/{name}", made)
        return made

    def remove(self, name: str) -> None:
        words = ["update-ref", "-d", f"refs/heads/{name}"]
        subprocess.run(["git", "-C", str(self.repository.path), *words], check=True)

    @property
    def heads(self) -> dict[str, str]:
        found = self.repository.refs("refs/heads/")
        return {name.removeprefix("refs/heads/"): oid for name, oid in found.items()}


def fetcher(client: Repository, url: str, **more: str) -> Fetch:
    environment = {**os.environ, **variables(client.path), **more}
    packs = client.path / "objects" / "pack"
    return Busy(Transport(client.path, packs, environment, url), url)


def fetched(client: Repository) -> dict[str, str]:
    """What stands below our refs, and that nothing lacks."""
    words = ["fsck", "--strict", "--no-dangling"]
    subprocess.run(["git", "-C", client.path, *words], check=True, capture_output=True)
    return {name.removeprefix(OURS): oid for name, oid in client.refs(OURS).items()}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "server.git")
    with made.repository:
        yield made
    MEANWHILE.clear()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Repository]:
    with Repository.create(tmp_path / "client.git") as made:
        yield made


@pytest.fixture(params=["file", "http"])
def busy(
    server: Server, client: Repository, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Fetch]:
    if request.param == "file":
        yield fetcher(client, server.repository.path.as_uri())
    else:
        with over_http(tmp_path / "web", server.repository.path) as (address, _):
            yield fetcher(client, address)


def test_what_moves_on_meanwhile(server: Server, client: Repository, busy: Fetch) -> None:
    first = server.push("main")
    MEANWHILE[:] = [lambda: server.push("main", first)]
    busy.refs(HERE)
    assert fetched(client) == {"main": first}


def test_what_is_rewritten_meanwhile(server: Server, client: Repository, busy: Fetch) -> None:
    server.push("x")
    MEANWHILE[:] = [lambda: server.push("x")]
    busy.refs(HERE)
    assert fetched(client) == server.heads


def test_what_vanishes_meanwhile(server: Server, client: Repository, busy: Fetch) -> None:
    main = server.push("main")
    server.push("x", main)
    MEANWHILE[:] = [lambda: server.remove("x")]
    busy.refs(HERE)
    assert fetched(client) == server.heads == {"main": main}


def test_requests_that_come_and_go(server: Server, client: Repository, busy: Fetch) -> None:
    main = server.push("main")
    busy.refs(HERE)
    for number in range(8):
        server.push(f"requests/{number}", main)
    for number in range(8):
        MEANWHILE.append(partial(server.remove, f"requests/{number}"))
        MEANWHILE.append(partial(server.push, "main", main))
    busy.refs(HERE)
    busy.refs(HERE)
    assert fetched(client).keys() >= server.heads.keys()
    MEANWHILE.clear()
    busy.refs(HERE)
    assert fetched(client) == server.heads


def test_a_folder_of_names_becomes_a_name(server: Server, client: Repository, busy: Fetch) -> None:
    server.push("a/b")
    busy.refs(HERE)
    server.remove("a/b")
    made = server.push("a")
    busy.refs(HERE)
    assert fetched(client) == {"a": made}


def test_a_history_that_is_cut_off(server: Server, client: Repository, tmp_path: Path) -> None:
    server.push("main", server.push("main"))
    cut = tmp_path / "cut.git"
    words = ["clone", "-q", "--bare", "--depth=1", server.repository.path.as_uri(), str(cut)]
    subprocess.run(["git", *words], check=True)
    with pytest.raises(GitError) as caught:
        fetcher(client, cut.as_uri()).refs(HERE)
    assert caught.value.code in {"shallow", "unreachable"}
    assert client.refs("refs/") == {}


LIES: dict[str, dict[str, str]] = {
    "an option": {"refs/heads/x": "--all"},
    "a name of ours": {"refs/heads/x": "HEAD"},
    "an id of another kind": {"refs/heads/x": "ab" * 32},
    "a name of two lines": {"refs/heads/x\ndelete refs/heads/main": "ab" * 20},
    "a name with a space": {"refs/heads/x y": "ab" * 20},
}


@pytest.mark.parametrize("name", LIES)
def test_what_no_host_may_say(
    server: Server, client: Repository, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Transport, "listed", lambda *_: LIES[name])
    with pytest.raises(GitError, match="what is no ref"):
        fetcher(client, server.repository.path.as_uri()).refs(HERE)


def test_a_host_that_is_not_there(client: Repository, tmp_path: Path) -> None:
    with pytest.raises(GitError) as caught:
        fetcher(client, (tmp_path / "nowhere.git").as_uri()).refs(HERE)
    assert caught.value.code == "unreachable"


def test_only_what_is_meant_is_listed(server: Server, client: Repository, tmp_path: Path) -> None:
    """A host keeps every request there ever was; none of these is told of by the web."""
    main = server.push("main")
    for number in range(300):
        server.repository.set_ref(f"refs/pull/{number}/head", main)
    trace = tmp_path / "trace"
    with over_http(tmp_path / "web", server.repository.path) as (address, _):
        seven = f"+refs/pull/7/head:{OURS}7"
        fetcher(client, address, GIT_TRACE_PACKET=str(trace)).refs([*HERE, seven])
    assert fetched(client) == {"main": main, "7": main}
    assert set(re.findall(r"refs/pull/\d+", trace.read_text())) == {"refs/pull/7"}


def test_a_bundle_is_read_like_a_repository(
    server: Server, client: Repository, tmp_path: Path
) -> None:
    """What an archive keeps: a whole history in one file."""
    main = server.push("main", server.push("main"))
    bundle = tmp_path / "history.bundle"
    words = ["bundle", "create", "-q", str(bundle), "--all"]
    subprocess.run(["git", "-C", str(server.repository.path), *words], check=True)
    client.fetch(str(bundle), HERE)
    assert fetched(client) == {"main": main}
    client.narrow()
    with pytest.raises(GitError, match="it is a bundle"):
        fetcher(client, str(bundle)).objects(["ab" * 20])


def test_addresses_are_rewritten_as_git_does_it(
    server: Server, client: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many reach a host by SSH where an https address is written down."""
    main = server.push("main")
    settings = tmp_path / "gitconfig"
    there = server.repository.path.parent.as_uri()
    settings.write_text(f'[url "{there}/"]\n\tinsteadOf = https://host.invalid/\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    client.fetch("https://host.invalid/server.git", HERE)
    assert fetched(client) == {"main": main}
    settings.write_text('[url "ext::sh -c "]\n\tinsteadOf = https://host.invalid/\n')
    with pytest.raises(GitError, match="not a repository address"):
        client.fetch("https://host.invalid/server.git", HERE)


def test_many_small_packs_are_put_together_and_nothing_is_lost(
    server: Server, client: Repository, tmp_path: Path
) -> None:
    """Also where files were left out, and later come."""
    url = server.repository.path.as_uri()
    subprocess.run(
        ["git", "-C", server.repository.path, "config", "uploadpack.allowFilter", "true"],
        check=True,
    )  # fmt: skip
    client.narrow()
    main = server.push("main")
    for _ in range(55):
        client.fetch(url, HERE)
        main = server.push("main", main)
    client.fetch(url, HERE)
    assert len(list((client.path / "objects" / "pack").glob("*.pack"))) < 50
    assert client.refs(OURS) == {f"{OURS}main": main}
    blob = server.repository.write_blob(b"1")
    assert client.lacking([main, blob]) == [blob]
    client.widen()
    client.fetch(url, HERE)
    assert fetched(client) == {"main": main}
    assert client.lacking([blob]) == []
