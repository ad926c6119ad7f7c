"""Requests on a bare repository: branches that open, move, merge and close."""

from __future__ import annotations

from pathlib import Path

import pytest

from medperf_git.errors import GitError, InputError, RaceError
from medperf_git.forge.base import MAIN, TRAILER, Draft, branch
from medperf_git.forge.plain import PlainForge
from medperf_git.git.objects import EMPTY_TREE
from medperf_git.store.change import write_files
from medperf_git.vcs import Repository

WHO = ("Test", "test@example.org")


class Host:
    """A bare repository and one client's mirror of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "host.git"
        Repository.create(self.path).close()
        self.mirror = Repository.create(folder / "mirror.git")
        self.forge = PlainForge(self.mirror, str(self.path))

    def commit(self, message: str, *parents: str, **files: bytes) -> str:
        """A commit in the mirror, on its first parent's tree."""
        base = self.mirror.commit(parents[0]).tree if parents else EMPTY_TREE
        tree = write_files(self.mirror, base, files)
        return self.mirror.write_commit(tree, parents, message, WHO)

    def refs(self) -> dict[str, str]:
        with Repository.open(self.path) as host:
            return host.refs("refs/heads")

    def found(self) -> str:
        main = self.commit("Found", a=b"1")
        self.forge.create_main(main, None)
        return main


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


BAD_IDS = [
    "",
    "ky",
    "ky/",
    "/x",
    "ky/x/y",
    "Ky/x",
    "ky/x y",
    "../x",
    "ky/..",
    "ky/x.lock",
    "ky/x\n",
]


@pytest.mark.parametrize("name", BAD_IDS)
def test_what_is_no_id_of_a_request(host: Host, name: str) -> None:
    with pytest.raises(InputError, match="not a request"):
        branch(name)
    with pytest.raises(InputError, match="not a request"):
        host.forge.request(name)


def test_an_empty_host_has_no_main(host: Host) -> None:
    host.forge.fetch()
    assert host.forge.main() is None
    assert host.forge.requests(ended=True) == []


def test_main_is_founded_once(host: Host) -> None:
    first = host.found()
    with pytest.raises(RaceError):
        host.forge.create_main(host.commit("Another", b=b"2"), None)
    assert host.refs() == {MAIN: first}


def test_the_life_of_a_request(host: Host) -> None:
    main = host.found()
    opened = host.forge.open(Draft("ky/x-1", host.commit("Add x", main, x=b"1"), ""))
    assert (opened.participant, opened.state, opened.title) == ("ky", "open", "Add x")
    approved = host.forge.update(opened, host.commit("Approve", opened.head, s=b"1"))
    # Its title stays that of its first commit.
    host.forge.fetch()
    assert host.forge.request("ky/x-1") == approved
    assert approved.title == "Add x"
    merged = host.commit(f"Add x\n\n{TRAILER}ky/x-1\n", main, approved.head, x=b"1", s=b"1")
    host.forge.merge(approved, main, merged)
    assert host.refs() == {MAIN: merged}
    host.forge.fetch()
    assert [(r.id, r.state, r.head) for r in host.forge.requests(ended=True)] == [
        ("ky/x-1", "merged", approved.head)
    ]
    assert host.forge.requests() == []
    assert host.forge.request("ky/x-1").state == "merged"


def test_a_name_is_open_once(host: Host) -> None:
    main = host.found()
    host.forge.open(Draft("ky/x-1", host.commit("Add x", main, x=b"1"), ""))
    before = host.refs()
    with pytest.raises(InputError, match="ky/x-1 is open already") as caught:
        host.forge.open(Draft("ky/x-1", host.commit("Add y", main, y=b"1"), ""))
    assert caught.value.code == "request-exists"
    assert host.refs() == before


def test_who_is_second_is_told(host: Host) -> None:
    main = host.found()
    opened = host.forge.open(Draft("ky/x-1", host.commit("Add x", main, x=b"1"), ""))
    host.forge.update(opened, host.commit("Approve", opened.head, s=b"1"))
    before = host.refs()
    with pytest.raises(RaceError):
        host.forge.update(opened, host.commit("Approve too", opened.head, t=b"1"))
    merged = host.commit("Merge", main, opened.head, x=b"1")
    with pytest.raises(RaceError):
        host.forge.merge(opened, main, merged)
    with pytest.raises(RaceError):
        host.forge.close(opened, host.commit("Reject: no", opened.head))
    assert host.refs() == before


def test_a_merge_moves_main_and_the_branch_or_neither(host: Host) -> None:
    main = host.found()
    one = host.forge.open(Draft("ky/x-1", host.commit("Add x", main, x=b"1"), ""))
    two = host.forge.open(Draft("ms/y-1", host.commit("Add y", main, y=b"1"), ""))
    merged = host.commit("Merge", main, one.head, x=b"1")
    host.forge.merge(one, main, merged)
    before = host.refs()
    with pytest.raises(RaceError):
        host.forge.merge(two, main, host.commit("Merge", main, two.head, y=b"1"))
    assert host.refs() == before
    host.forge.merge(two, merged, host.commit("Merge", merged, two.head, y=b"1"))
    assert set(host.refs()) == {MAIN}


@pytest.mark.parametrize(("verb", "state"), [("Reject", "rejected"), ("Withdraw", "withdrawn")])
def test_what_was_closed_stays_readable(host: Host, verb: str, state: str) -> None:
    main = host.found()
    opened = host.forge.open(Draft("ky/x-1", host.commit("Add x", main, x=b"1"), ""))
    host.forge.close(opened, host.commit(f"{verb}: not like this: no", opened.head))
    host.forge.fetch()
    closed = host.forge.request("ky/x-1")
    assert (closed.state, closed.title, closed.reason) == (state, "Add x", "not like this: no")
    assert host.mirror.commit(closed.head).parents == (opened.head,)
    assert host.forge.requests() == []
    # The name is free again, and the open one is meant then.
    again = host.forge.open(Draft("ky/x-1", host.commit("Add x", main, x=b"2"), ""))
    assert host.forge.request("ky/x-1") == again


def test_an_unknown_request(host: Host) -> None:
    host.found()
    with pytest.raises(InputError, match="no request ky/x-1"):
        host.forge.request("ky/x-1")


def test_a_host_that_is_gone(host: Host) -> None:
    main = host.found()
    host.path.rename(host.path.with_name("away.git"))
    with pytest.raises(GitError) as fetching:
        host.forge.fetch()
    assert fetching.value.code == "unreachable"
    with pytest.raises(GitError) as sending:
        host.forge.open(Draft("ky/x-1", host.commit("Add x", main, x=b"1"), ""))
    assert sending.value.code == "unreachable"
    assert host.forge.main() == main
