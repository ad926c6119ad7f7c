"""Requests as pull requests, against the stand-in: every call is one that GitHub describes."""

from __future__ import annotations

import base64
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.errors import AwaitingError, GitError, InputError, RaceError
from medperf_git.forge import github
from medperf_git.forge.base import TRAILER, Draft, Request
from medperf_git.forge.github import GitHubForge
from medperf_git.forge.hosts import recognise
from medperf_git.forge.secret import Secret
from medperf_git.store.change import write_files
from medperf_git.vcs import Repository
from tests.support.github.faults import Fault, Kind
from tests.support.github.host import GitHubHost
from tests.support.github.state import Pull, Repo, User

WHO = ("Test", "test@example.org")


class Client:
    """Somebody's mirror of the registry, and their way to the host."""

    def __init__(self, folder: Path, host: GitHubHost, user: User | None) -> None:
        self.host, self.user = host, user
        self.mirror = Repository.create(folder)
        url = host.clone_url("anna", "registry")
        token = None if user is None else Secret(user.token)
        self.said: list[str] = []
        found = recognise(url, "github")
        self.forge = GitHubForge(self.mirror, url, found, lambda: token, self.said.append)
        self.forge.fetch()

    @property
    def main(self) -> str:
        main = self.forge.main()
        assert main
        return main

    def commit(self, message: str, *parents: str, **files: bytes) -> str:
        base = self.mirror.commit(parents[0]).tree
        tree = write_files(self.mirror, base, files)
        return self.mirror.write_commit(tree, parents, message, WHO)

    def draft(self, slug: str = "x-1", **files: bytes) -> Draft:
        participant = self.user.login if self.user else "nobody"
        commit = self.commit("Add x", self.main, **(files or {"x": b"1"}))
        return Draft(f"{participant}/{slug}", commit, "Add x", "What it asks.", ("dataset",))

    def merged(self, request: Request, **files: bytes) -> str:
        """The merge commit that a workflow would make."""
        files = files or {"x": b"1"}
        text = f"{request.title}\n\n{TRAILER}{request.id}\n"
        return self.commit(text, self.main, request.head, **files)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubHost]:
    monkeypatch.setattr(github, "_PAUSE_SECONDS", 0.05)
    with GitHubHost(tmp_path / "github") as made:
        made.repository("anna", "registry")
        yield made
        assert made.violations == []


@pytest.fixture
def registry(host: GitHubHost) -> Repo:
    return host.find("anna", "registry")


@pytest.fixture
def anna(host: GitHubHost, tmp_path: Path) -> Client:
    return Client(tmp_path / "anna.git", host, host.user("anna"))


@pytest.fixture
def ky(host: GitHubHost, tmp_path: Path) -> Client:
    return Client(tmp_path / "ky.git", host, host.user("ky"))


def only(registry: Repo) -> Pull:
    (pull,) = registry.pulls.values()
    return pull


def test_a_member_opens_from_a_branch_of_the_registry(anna: Client, registry: Repo) -> None:
    opened = anna.forge.open(anna.draft())
    pull = only(registry)
    assert (opened.id, opened.state, opened.number) == ("anna/x-1", "open", pull.number)
    assert opened.url.endswith(f"/anna/registry/pull/{pull.number}")
    assert (pull.title, pull.body, pull.labels) == ("Add x", "What it asks.", ["dataset"])
    assert pull.head_repo is registry
    assert pull.head_branch == "requests/anna/x-1"
    assert anna.forge.request("anna/x-1") == opened
    assert anna.forge.requests() == [opened]


def test_an_outsider_opens_from_a_fork_that_is_made_for_it(
    ky: Client, anna: Client, host: GitHubHost, registry: Repo
) -> None:
    host.fork_takes(2)
    opened = ky.forge.open(ky.draft())
    pull = only(registry)
    assert pull.head_repo is host.find("ky", "registry")
    assert pull.maintainer_can_modify
    assert pull.labels == []  # an outsider may give none
    assert ky.said == ["waiting for the fork ky/registry"]
    assert anna.forge.request("ky/x-1").head == opened.head
    assert anna.mirror.commit(opened.head).subject == "Add x"
    # The second time the fork is there.
    second = ky.forge.open(ky.draft("y-1", y=b"1"))
    assert [r.id for r in anna.forge.requests()] == ["ky/x-1", "ky/y-1"]
    assert second.number != opened.number


LOST: list[tuple[str, str, Kind]] = [
    ("POST", "/pulls$", "lost-reply"),
    ("POST", "/pulls$", "502"),
    ("POST", "/forks$", "lost-reply"),
    ("POST", "/forks$", "502"),
    ("GET", "/pulls", "lost-reply"),
    ("GET", "/user$", "502"),
    ("POST", "/pulls$", "rate-limit"),
    ("GET", "/repos/anna/registry$", "secondary"),
    ("POST", "/labels$", "lost-reply"),
]


@pytest.mark.parametrize(("method", "pattern", "kind"), LOST)
def test_a_lost_answer_leaves_one_request(
    ky: Client, host: GitHubHost, registry: Repo, method: str, pattern: str, kind: Kind
) -> None:
    host.faults.append(Fault(method, pattern, kind))
    opened = ky.forge.open(ky.draft())
    assert only(registry).number == opened.number
    assert host.faults[0].times == 0 or pattern == "/labels$"


def test_a_lost_answer_to_a_push_is_looked_up(
    ky: Client, anna: Client, host: GitHubHost, registry: Repo
) -> None:
    host.faults.append(Fault("POST", "git-receive-pack$", "lost-reply"))
    opened = ky.forge.open(ky.draft())
    assert only(registry).head_sha == opened.head
    request = anna.forge.request("ky/x-1")
    host.faults.append(Fault("POST", "git-receive-pack$", "lost-reply"))
    approved = anna.forge.update(request, anna.commit("Approve", request.head, s=b"1"))
    assert only(registry).head_sha == approved.head
    # Where it did not arrive, nothing is opened in its stead; the same again goes on.
    host.faults.append(Fault("*", "git-receive-pack|info/refs", "502", times=9))
    more = anna.commit("Approve more", approved.head, t=b"1")
    with pytest.raises(GitError) as caught:
        anna.forge.update(approved, more)
    assert caught.value.code == "unreachable"
    host.faults.clear()
    anna.forge.update(approved, more)
    assert only(registry).head_sha == more


def test_the_same_again_is_the_same_request(ky: Client, registry: Repo) -> None:
    draft = ky.draft()
    first = ky.forge.open(draft)
    assert ky.forge.open(draft) == first
    with pytest.raises(InputError, match="open already") as caught:
        ky.forge.open(ky.draft(x=b"other"))
    assert caught.value.code == "request-exists"
    assert only(registry).head_sha == first.head


def test_a_branch_without_a_request_is_taken_over(ky: Client, registry: Repo) -> None:
    first = ky.forge.open(ky.draft())
    ky.forge.close(first, ky.commit("Withdraw: wrong", first.head))
    again = ky.forge.open(ky.draft(x=b"2"))
    assert again.number != first.number
    assert ky.forge.request("ky/x-1") == again
    assert [r.state for r in ky.forge.requests(ended=True) if r.number == first.number] == [
        "withdrawn"
    ]
    assert len(registry.pulls) == 2


def test_a_member_adds_to_a_request_of_a_fork(ky: Client, anna: Client, registry: Repo) -> None:
    ky.forge.open(ky.draft())
    request = anna.forge.request("ky/x-1")
    approved = anna.forge.update(request, anna.commit("Approve", request.head, s=b"1"))
    assert (approved.id, approved.number) == ("ky/x-1", request.number)
    assert only(registry).head_sha == approved.head
    with pytest.raises(RaceError):
        anna.forge.update(request, anna.commit("Approve too", request.head, t=b"1"))


def test_where_nothing_can_be_added_another_request_holds_it(
    ky: Client, anna: Client, host: GitHubHost, registry: Repo
) -> None:
    ky.forge.open(ky.draft())
    first = only(registry)
    first.maintainer_can_modify = False
    request = anna.forge.request("ky/x-1")
    approved = anna.forge.update(request, anna.commit("Approve", request.head, s=b"1"))
    assert approved.number != first.number
    assert approved.id.startswith("ky/x-1-")
    assert f"#{first.number}" in (registry.pulls[approved.number or 0].body or "")
    assert any(f"#{approved.number}" in comment.body for comment in first.comments)
    anna.forge.merge(approved, anna.main, anna.merged(approved, x=b"1", s=b"1"))
    # What the other one holds is main's as well: GitHub shows both as merged.
    assert {pull.state for pull in registry.pulls.values()} == {"closed"}


def test_a_deleted_fork_loses_nothing(
    ky: Client, anna: Client, host: GitHubHost, registry: Repo
) -> None:
    opened = ky.forge.open(ky.draft())
    host.delete("ky", "registry")
    request = anna.forge.request(f"#{opened.number}")
    assert request.head == opened.head
    approved = anna.forge.update(request, anna.commit("Approve", request.head, s=b"1"))
    assert approved.number != opened.number


def test_merging_makes_the_tree_that_was_judged(anna: Client, registry: Repo) -> None:
    opened = anna.forge.open(anna.draft())
    before = anna.main
    planned = anna.merged(opened)
    main = anna.forge.merge(opened, before, planned)
    commit = anna.mirror.commit(main)
    assert commit.parents == (before, opened.head)
    assert commit.tree == anna.mirror.commit(planned).tree
    assert commit.message.rstrip() == "Add x\n\nRequest: anna/x-1"
    assert anna.forge.request("anna/x-1").state == "merged"
    url = anna.host.clone_url("anna", "registry")
    assert anna.mirror.remote_ref(url, "refs/heads/requests/anna/x-1") is None


def test_a_push_after_the_look_is_never_merged(anna: Client, host: GitHubHost) -> None:
    opened = anna.forge.open(anna.draft())
    planned = anna.merged(opened)

    def push() -> None:
        host.write(host.find("anna", "registry"), "requests/anna/x-1", {"evil": "1"})

    host.faults.append(Fault("PUT", "/merge$", "race", callback=push))
    before = anna.main
    with pytest.raises(RaceError):
        anna.forge.merge(opened, before, planned)
    anna.forge.fetch()
    assert anna.main == before


def test_main_is_brought_in_before_a_merge(anna: Client, ky: Client, host: GitHubHost) -> None:
    opened = anna.forge.open(anna.draft())
    host.write(host.find("anna", "registry"), "main", {"other": "1"})
    anna.forge.fetch()
    before = anna.main
    planned = anna.merged(opened)
    main = anna.forge.merge(opened, before, planned)
    commit = anna.mirror.commit(main)
    assert commit.parents[0] == before
    assert commit.tree == anna.mirror.commit(planned).tree


def test_a_lost_answer_to_a_merge_is_a_merge(anna: Client, host: GitHubHost) -> None:
    kinds: tuple[Kind, ...] = ("lost-reply", "502")
    for number, kind in enumerate(kinds):
        opened = anna.forge.open(anna.draft(f"x-{number}", **{f"x{number}": b"1"}))
        host.faults.append(Fault("PUT", "/merge$", kind))
        before = anna.main
        main = anna.forge.merge(opened, before, anna.merged(opened, **{f"x{number}": b"1"}))
        assert anna.mirror.commit(main).parents == (before, opened.head)


def test_a_merge_waits_for_the_check_and_ends_where_it_is_red(
    anna: Client, host: GitHubHost, registry: Repo
) -> None:
    host.ruleset(registry, "pull_request", "deletion", "non_fast_forward", checks=("validate",))
    opened = anna.forge.open(anna.draft())
    host.check_run(registry, opened.head, "validate", "failure")
    with pytest.raises(AwaitingError, match="validate") as caught:
        anna.forge.merge(opened, anna.main, anna.merged(opened))
    assert caught.value.code == "check-failed"
    assert caught.value.place == opened.url

    def judged(repo: Repo, pull: Pull) -> None:
        host.check_run(repo, pull.head_sha, "validate")

    host.on_pull = judged
    second = anna.forge.open(anna.draft("y-1", y=b"1"))
    anna.forge.merge(second, anna.main, anna.merged(second, y=b"1"))
    assert anna.forge.request("anna/y-1").state == "merged"


def test_closing_says_why(anna: Client, ky: Client, registry: Repo) -> None:
    opened = ky.forge.open(ky.draft())
    request = anna.forge.request("ky/x-1")
    anna.forge.close(request, anna.commit("Reject: not like this", request.head))
    pull = only(registry)
    assert (pull.state, pull.labels) == ("closed", ["rejected"])
    assert [comment.body for comment in pull.comments] == ["Reject: not like this"]
    assert ky.forge.request("ky/x-1").state == "rejected"
    assert ky.forge.requests() == []
    with pytest.raises(InputError) as caught:
        ky.forge.update(opened, ky.commit("More", opened.head, y=b"1"))
    assert caught.value.code == "request-closed"


def test_many_requests_are_all_seen(anna: Client, host: GitHubHost, registry: Repo) -> None:
    head = anna.commit("Add", anna.main, x=b"1")
    address = host.clone_url("anna", "registry", host.user("anna"))
    refs = [(head, f"refs/heads/requests/anna/x-{n}", None) for n in range(103)]
    anna.mirror.push(address, refs)
    for n in range(103):
        draft = Draft(f"anna/x-{n}", head, f"Add {n}")
        anna.forge._created(draft, "anna", f"requests/anna/x-{n}")
    assert [r.id for r in anna.forge.requests()] == [f"anna/x-{n}" for n in range(103)]


def test_two_of_one_name_are_told_apart(anna: Client, ky: Client, registry: Repo) -> None:
    first = anna.forge.open(anna.draft())
    forged = ky.forge.open(Draft("anna/x-1", ky.commit("Add x", ky.main, x=b"evil"), "Add x"))
    found = anna.forge.requests()
    assert [r.id for r in found] == ["anna/x-1", f"#{forged.number}"]
    assert anna.forge.request("anna/x-1").number == first.number
    assert anna.forge.request(f"#{forged.number}").head == forged.head


def test_a_name_that_somebody_took_first_still_means_ones_own(
    anna: Client, ky: Client, host: GitHubHost, tmp_path: Path
) -> None:
    eve = Client(tmp_path / "eve.git", host, host.user("eve"))
    taken = eve.forge.open(Draft("ky/x-1", eve.commit("Add x", eve.main, x=b"evil"), "Add x"))
    own = ky.forge.open(ky.draft())
    assert ky.forge.request("ky/x-1").number == own.number
    assert anna.forge.request("ky/x-1").number == taken.number
    assert [r.id for r in anna.forge.requests()] == ["ky/x-1", f"#{own.number}"]


@pytest.mark.parametrize("name", ["ky/none-1", "#99", "99"])
def test_what_is_not_there_is_said(anna: Client, name: str) -> None:
    with pytest.raises(InputError) as caught:
        anna.forge.request(name)
    assert caught.value.code == "no-request"


def test_a_pull_request_to_another_branch_is_none(anna: Client, registry: Repo) -> None:
    opened = anna.forge.open(anna.draft())
    only(registry).base = "release"
    with pytest.raises(InputError) as caught:
        anna.forge.request(f"#{opened.number}")
    assert caught.value.code == "no-request"
    assert anna.forge.requests() == []


def test_a_renamed_registry_is_found(ky: Client, host: GitHubHost) -> None:
    host.rename("anna", "registry", "moved")
    opened = ky.forge.open(ky.draft())
    ky.forge.fetch()
    assert ky.forge.request("ky/x-1") == opened


def test_nobody_is_told_to_log_in(host: GitHubHost, tmp_path: Path) -> None:
    stranger = Client(tmp_path / "nobody.git", host, None)
    assert stranger.forge.requests() == []
    with pytest.raises(InputError) as caught:
        stranger.forge.open(stranger.draft())
    assert caught.value.code == "login"
    assert "mpgit login 127.0.0.1" in str(caught.value.advice)


def test_a_wrong_token_is_said_and_not_shown(host: GitHubHost, tmp_path: Path) -> None:
    wrong = User("ky", "gho_wrongwrongwrongwrongwrong")
    with pytest.raises(GitError) as caught:
        Client(tmp_path / "ky.git", host, wrong)
    text = f"{caught.value} {caught.value.as_dict()} {caught.value.__cause__!r}"
    assert wrong.token not in text
    assert caught.value.code == "denied"
    assert "mpgit login" in str(caught.value.advice)


def test_rules_of_the_host_are_its_own_refusals(
    anna: Client, host: GitHubHost, registry: Repo
) -> None:
    host.ruleset(registry, "pull_request", "non_fast_forward", "deletion")
    with pytest.raises(GitError):
        anna.forge.create_main(anna.commit("Straight to main", anna.main, x=b"1"), anna.main)


def test_no_token_goes_over_an_open_line(tmp_path: Path) -> None:
    url = "http://10.255.255.1/anna/registry.git"
    mirror = Repository.create(tmp_path / "m.git")
    forge = GitHubForge(mirror, url, recognise(url, "github"), lambda: Secret("ghp_x"))
    with pytest.raises(InputError) as caught:
        forge.fetch()
    assert caught.value.code == "not-encrypted"


def test_an_empty_repository_has_no_main(host: GitHubHost, tmp_path: Path) -> None:
    host.repository("anna", "empty", {})
    url = host.clone_url("anna", "empty")
    token = Secret(host.user("anna").token)
    mirror = Repository.create(tmp_path / "m.git")
    forge = GitHubForge(mirror, url, recognise(url, "github"), lambda: token)
    forge.fetch()
    assert forge.main() is None
    with pytest.raises(GitError):
        GitHubForge(mirror, url + "x", recognise(url, "github"), lambda: token).fetch()


def test_a_closed_request_takes_no_name_from_an_open_one(ky: Client) -> None:
    first = ky.forge.open(ky.draft())
    ky.forge.close(first, ky.commit("Withdraw: wrong", first.head))
    ky.forge.open(ky.draft(x=b"2"))
    found = ky.forge.requests(ended=True)
    assert [(r.id, r.state) for r in found] == [("ky/x-1", "withdrawn"), ("ky/x-1", "open")]


def test_a_pull_request_that_follows_late_is_waited_for(
    anna: Client, host: GitHubHost, registry: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub shows a push some moments later than git does."""
    opened = anna.forge.open(anna.draft())
    pull = only(registry)
    old = pull.head_sha
    approved = anna.forge.update(opened, anna.commit("Approve", opened.head, s=b"1"))
    follow = host.world.follow
    pull.head_sha = old
    monkeypatch.setattr(host.world, "follow", lambda *_: [])
    assert anna.forge.request("anna/x-1").head == approved.head
    timer = threading.Timer(0.5, lambda: setattr(pull, "head_sha", approved.head))
    timer.start()
    anna.forge.merge(approved, anna.main, anna.merged(approved, x=b"1", s=b"1"))
    timer.join()
    monkeypatch.setattr(host.world, "follow", follow)
    assert anna.forge.request("anna/x-1").state == "merged"


def test_main_that_moves_in_the_last_moment_is_seen(anna: Client, host: GitHubHost) -> None:
    opened = anna.forge.open(anna.draft())
    planned = anna.merged(opened)
    before = anna.main
    host.write(host.find("anna", "registry"), "main", {"other": "1"})
    with pytest.raises(RaceError):
        anna.forge.merge(opened, before, planned)


def test_the_token_is_in_no_process_list(
    ky: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `git` that writes down how it is called, before the real one."""
    real = shutil.which("git")
    log = tmp_path / "called"
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {log}\nexec {real} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    ky.forge.open(ky.draft())
    called = log.read_text()
    assert "push" in called
    assert ky.user is not None
    pair = base64.b64encode(f"x-access-token:{ky.user.token}".encode()).decode()
    assert ky.user.token not in called
    assert pair not in called
    # Nor in what git keeps.
    assert pair not in (ky.mirror.path / "config").read_text()
