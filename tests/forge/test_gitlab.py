"""Requests as merge requests, opened, added to and merged: by calls that GitLab documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.errors import AwaitingError, HostError, InputError, RaceError
from medperf_git.forge import gitlab
from medperf_git.forge.base import Draft
from tests.support.gitlab.client import REGISTRY, Client, only, serving
from tests.support.gitlab.faults import Fault, Kind
from tests.support.gitlab.host import GitLabHost
from tests.support.gitlab.state import DEVELOPER, Project


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLabHost]:
    with serving(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def registry(host: GitLabHost) -> Project:
    return host.find(REGISTRY)


@pytest.fixture
def anna(host: GitLabHost, tmp_path: Path) -> Client:
    return Client(tmp_path / "anna.git", host, host.user("anna"))


@pytest.fixture
def ky(host: GitLabHost, tmp_path: Path) -> Client:
    return Client(tmp_path / "ky.git", host, host.user("ky"))


# --- opening ---------------------------------------------------------------------------------


def test_a_member_opens_from_a_branch_of_the_project(anna: Client, registry: Project) -> None:
    opened = anna.forge.open(anna.draft())
    merge = only(registry)
    assert (opened.id, opened.state, opened.number) == ("anna/x-1", "open", merge.iid)
    assert opened.url.endswith(f"/{REGISTRY}/-/merge_requests/{merge.iid}")
    assert (merge.title, merge.description) == ("Add x", "What it asks.")
    assert (merge.labels, merge.force_remove, merge.squash) == (["dataset"], True, False)
    assert merge.source is registry
    assert merge.source_branch == "requests/anna/x-1"
    assert anna.forge.request("anna/x-1") == opened
    assert anna.forge.requests() == [opened]


def test_a_developer_of_a_group_needs_no_fork(
    ky: Client, host: GitLabHost, registry: Project
) -> None:
    host.member(registry, "ky", DEVELOPER)
    opened = ky.forge.open(ky.draft())
    assert only(registry).source is registry
    with pytest.raises(HostError) as caught:
        ky.merge(opened)
    assert (caught.value.code, caught.value.status) == ("forbidden", 401)
    assert "maintainer" in str(caught.value.advice)


def test_an_outsider_opens_from_a_fork_that_is_made_for_it(
    ky: Client, anna: Client, host: GitLabHost, registry: Project
) -> None:
    host.world.fork_seconds = 2
    opened = ky.forge.open(ky.draft())
    merge = only(registry)
    assert merge.source is host.find("ky/registry")
    assert merge.allow_collaboration
    assert merge.labels == []  # an outsider may give none
    assert ky.said == ["waiting for the fork ky/registry"]
    assert anna.forge.request("ky/x-1").head == opened.head
    assert anna.mirror.commit(opened.head).subject == "Add x"
    # The second time the fork is there.
    second = ky.forge.open(ky.draft("y-1", y=b"1"))
    assert [r.id for r in anna.forge.requests()] == ["ky/x-1", "ky/y-1"]
    assert second.number != opened.number


def test_a_fork_that_fails_is_said(ky: Client, host: GitLabHost) -> None:
    host.world.fork_fails, host.world.fork_seconds = True, 60
    with pytest.raises(HostError) as caught:
        ky.forge.open(ky.draft())
    assert caught.value.code == "fork-missing"


def test_a_project_that_has_the_forks_name_is_not_taken(ky: Client, host: GitLabHost) -> None:
    host.project("ky", "ky/registry")
    with pytest.raises(HostError, match="already been taken") as caught:
        ky.forge.open(ky.draft())
    assert caught.value.status == 409


LOST: list[tuple[str, str, Kind]] = [
    ("POST", "/merge_requests$", "lost-reply"),
    ("POST", "/merge_requests$", "hang-up"),
    ("POST", "/merge_requests$", "502"),
    ("POST", "/merge_requests$", "rate-limit"),
    ("POST", "/fork$", "lost-reply"),
    ("POST", "/fork$", "502"),
    ("GET", "/merge_requests", "lost-reply"),
    ("GET", "/user$", "502"),
    ("GET", "/members/all", "hang-up"),
    ("GET", r"^/projects/clinics%2Fnorth%2Fregistry$", "rate-limit"),
]


@pytest.mark.parametrize(("method", "pattern", "kind"), LOST)
def test_a_lost_answer_leaves_one_request(
    ky: Client, host: GitLabHost, registry: Project, method: str, pattern: str, kind: Kind
) -> None:
    host.faults.append(Fault(method, pattern, kind, seconds=0))
    opened = ky.forge.open(ky.draft())
    assert only(registry).iid == opened.number
    assert host.faults[0].times == 0
    assert len([p for p in host.world.projects if p.owner is ky.user]) == 1
    patience = [line for line in ky.said if "asks for patience" in line]
    assert bool(patience) == (kind == "rate-limit")


def test_the_same_again_is_the_same_request(ky: Client, registry: Project) -> None:
    draft = ky.draft()
    first = ky.forge.open(draft)
    assert ky.forge.open(draft) == first
    with pytest.raises(InputError, match="open already") as caught:
        ky.forge.open(ky.draft(x=b"other"))
    assert caught.value.code == "request-exists"
    assert only(registry).sha == first.head


def test_a_branch_without_a_request_is_taken_over(ky: Client, registry: Project) -> None:
    first = ky.forge.open(ky.draft())
    ky.forge.close(first, ky.commit("Withdraw: wrong", first.head))
    again = ky.forge.open(ky.draft(x=b"2"))
    assert again.number != first.number
    assert ky.forge.request("ky/x-1") == again
    everything = {r.number: (r.id, r.state) for r in ky.forge.requests(ended=True)}
    assert everything == {
        first.number: ("ky/x-1", "withdrawn"),
        again.number: ("ky/x-1", "open"),
    }
    assert len(registry.merges) == 2


def test_text_is_never_an_order_to_the_host(anna: Client, registry: Project) -> None:
    draft = anna.draft()
    anna.forge.open(Draft(draft.id, draft.commit, "Add x", "A record:\n  /merge\n/close\n"))
    assert only(registry).description == "A record:\n  \\/merge\n\\/close\n"


# --- adding ----------------------------------------------------------------------------------


def test_a_member_adds_to_a_request_of_a_fork(ky: Client, anna: Client, registry: Project) -> None:
    ky.forge.open(ky.draft())
    request = anna.forge.request("ky/x-1")
    approved = anna.forge.update(request, anna.commit("Approve", request.head, s=b"1"))
    assert (approved.id, approved.number) == ("ky/x-1", request.number)
    assert only(registry).sha == approved.head
    with pytest.raises(RaceError):
        anna.forge.update(request, anna.commit("Approve too", request.head, t=b"1"))


def test_a_host_that_is_behind_is_waited_for(
    anna: Client, host: GitLabHost, registry: Project
) -> None:
    host.world.unseen = host.world.checking = 2
    opened = anna.forge.open(anna.draft())
    approved = anna.forge.update(opened, anna.commit("Approve", opened.head, s=b"1"))
    assert only(registry).sha == opened.head
    main = anna.merge(approved, x=b"1", s=b"1")
    assert anna.mirror.commit(main).parents[1] == approved.head


def test_where_nothing_can_be_added_another_request_holds_it(
    ky: Client, anna: Client, registry: Project
) -> None:
    ky.forge.open(ky.draft())
    first = only(registry)
    first.allow_collaboration = False
    request = anna.forge.request("ky/x-1")
    approved = anna.forge.update(request, anna.commit("Approve", request.head, s=b"1"))
    assert approved.number != first.iid
    assert approved.id.startswith("ky/x-1-")
    assert f"!{first.iid}" in registry.merges[approved.number or 0].description
    assert [note.body for note in first.notes] == [
        f"Continued in !{approved.number}, which holds this request."
    ]
    anna.merge(approved, x=b"1", s=b"1")
    # What the other one holds is main's as well: GitLab shows both as merged.
    assert {merge.state for merge in registry.merges.values()} == {"merged"}


def test_a_deleted_fork_loses_nothing(ky: Client, anna: Client, host: GitLabHost) -> None:
    opened = ky.forge.open(ky.draft())
    host.world.delete(host.find("ky/registry"))
    request = anna.forge.request(f"!{opened.number}")
    assert request.head == opened.head
    approved = anna.forge.update(request, anna.commit("Approve", request.head, s=b"1"))
    assert approved.number != opened.number


# --- merging ---------------------------------------------------------------------------------


def test_merging_makes_the_tree_that_was_judged(anna: Client) -> None:
    opened = anna.forge.open(anna.draft())
    before, planned = anna.main, anna.merged(opened)
    main = anna.forge.merge(opened, before, planned)
    commit = anna.mirror.commit(main)
    assert commit.parents == (before, opened.head)
    assert commit.tree == anna.mirror.commit(planned).tree
    assert commit.message.rstrip() == "Add x\n\nRequest: anna/x-1"
    assert anna.forge.request("anna/x-1").state == "merged"
    assert anna.mirror.remote_ref(anna.url, "refs/heads/requests/anna/x-1") is None


@pytest.mark.parametrize("branch", ["requests/anna/x-1", "main"])
def test_a_push_after_the_look_is_never_merged(
    anna: Client, host: GitLabHost, registry: Project, branch: str
) -> None:
    opened = anna.forge.open(anna.draft())
    planned, before = anna.merged(opened), anna.main

    def push() -> None:
        host.write(registry, branch, {"evil": "1"})

    # Main's move is seen before the merge is asked for, the branch's by the host.
    moment = ("PUT", "/merge$") if branch != "main" else ("GET", "/merge_requests/1$")
    host.faults.append(Fault(*moment, "race", callback=push))
    with pytest.raises(RaceError):
        anna.forge.merge(opened, before, planned)
    assert only(registry).state == "opened"


@pytest.mark.parametrize("method", ["merge", "rebase_merge"])
def test_main_is_brought_in_before_a_merge(
    anna: Client, host: GitLabHost, registry: Project, method: str
) -> None:
    registry.merge_method = method
    opened = anna.forge.open(anna.draft())
    host.write(registry, "main", {"other": "1"})
    anna.forge.fetch()
    before, planned = anna.main, anna.merged(opened)
    main = anna.forge.merge(opened, before, planned)
    commit = anna.mirror.commit(main)
    assert commit.parents[0] == before
    assert commit.tree == anna.mirror.commit(planned).tree
    assert any("bringing main" in line for line in anna.said)


@pytest.mark.parametrize("kind", ["lost-reply", "502", "hang-up"])
def test_a_lost_answer_to_a_merge_is_a_merge(anna: Client, host: GitLabHost, kind: Kind) -> None:
    opened = anna.forge.open(anna.draft())
    host.faults.append(Fault("PUT", "/merge$", kind))
    before = anna.main
    assert anna.mirror.commit(anna.merge(opened)).parents == (before, opened.head)


@pytest.mark.parametrize("status", ["failed", "canceled", "skipped"])
def test_a_red_pipeline_ends_a_merge(
    anna: Client, host: GitLabHost, registry: Project, status: str
) -> None:
    registry.needs_pipeline = True
    opened = anna.forge.open(anna.draft())
    host.pipeline(registry, opened.head, status)
    with pytest.raises(AwaitingError, match=status) as caught:
        anna.merge(opened)
    assert (caught.value.code, caught.value.place) == ("pipeline-failed", opened.url)
    assert only(registry).state == "opened"


def test_a_merge_waits_for_the_pipeline(anna: Client, host: GitLabHost, registry: Project) -> None:
    registry.needs_pipeline = True
    opened = anna.forge.open(anna.draft())
    states = iter(["", "running", "success"])

    def go_on() -> None:
        if status := next(states):
            host.pipeline(registry, opened.head, status)

    host.faults.append(Fault("PUT", "/merge$", "race", times=3, callback=go_on))
    anna.merge(opened)
    assert next(states, None) is None
    assert only(registry).state == "merged"


def test_a_pipeline_that_never_comes_is_not_waited_for_for_ever(
    anna: Client, registry: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gitlab, "_CHECK_SECONDS", 0.1)
    registry.needs_pipeline = True
    opened = anna.forge.open(anna.draft())
    with pytest.raises(AwaitingError) as caught:
        anna.merge(opened)
    assert caught.value.code == "pipeline-missing"


def test_what_people_must_lift_is_said(anna: Client, registry: Project) -> None:
    opened = anna.forge.open(anna.draft())
    registry.waits_for = "not_approved"
    with pytest.raises(AwaitingError, match="not_approved") as caught:
        anna.merge(opened)
    assert caught.value.code == "host-waits"


@pytest.mark.parametrize(("method", "squash"), [("ff", "default_off"), ("merge", "always")])
def test_what_makes_other_commits_is_refused(
    anna: Client, registry: Project, method: str, squash: str
) -> None:
    opened = anna.forge.open(anna.draft())
    registry.merge_method, registry.squash_option = method, squash
    again = Client(anna.host.world.folder / "again.git", anna.host, anna.user)
    with pytest.raises(HostError, match="only a merge commit") as caught:
        again.merge(again.forge.request(opened.id))
    assert caught.value.code == "merge-method"
    assert only(registry).state == "opened"


def test_a_squash_that_is_the_default_is_not_done(anna: Client, registry: Project) -> None:
    registry.squash_option = "default_on"
    opened = anna.forge.open(anna.draft())
    only(registry).squash = True
    assert anna.mirror.commit(anna.merge(opened)).parents[1:] == (opened.head,)
