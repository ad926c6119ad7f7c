"""Requests as merge requests, closed and read; and main as it is first made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.errors import GitError, InputError, RaceError
from medperf_git.forge.base import Draft
from medperf_git.forge.gitlab import GitLabForge
from medperf_git.git.objects import EMPTY_TREE
from medperf_git.store.change import write_files
from medperf_git.store.home import Home, RegistryEntry
from medperf_git.vcs import Repository
from medperf_git.workflows.hosts import forge_of
from tests.support.gitlab.client import REGISTRY, WHO, Client, only, serving
from tests.support.gitlab.faults import Fault, Kind
from tests.support.gitlab.host import GitLabHost
from tests.support.gitlab.state import Merge, Project


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


@pytest.mark.parametrize("kind", ["lost-reply", "502", None])
def test_closing_says_why(
    anna: Client, ky: Client, host: GitLabHost, registry: Project, kind: Kind | None
) -> None:
    opened = ky.forge.open(ky.draft())
    request = anna.forge.request("ky/x-1")
    if kind:
        host.faults += [Fault("POST", "/notes$", kind), Fault("PUT", "/merge_requests/1$", kind)]
    anna.forge.close(request, anna.commit("Reject: not like this", request.head))
    merge = only(registry)
    assert (merge.state, merge.labels) == ("closed", ["rejected"])
    assert [note.body for note in merge.notes] == ["Reject: not like this"]
    assert ky.forge.request("ky/x-1").state == "rejected"
    assert ky.forge.requests() == []
    with pytest.raises(InputError) as caught:
        ky.forge.update(opened, ky.commit("More", opened.head, y=b"1"))
    assert caught.value.code == "request-closed"


def test_many_requests_are_all_seen(anna: Client, host: GitLabHost, registry: Project) -> None:
    head = anna.commit("Add", anna.main, x=b"1")
    branches = [f"refs/heads/requests/anna/x-{n}" for n in range(103)]
    anna.mirror.push(host.clone_url(REGISTRY, anna.user), [(head, ref, None) for ref in branches])
    for n in range(103):
        merge = Merge(n + 1, host.user("anna"), "Add", "", registry, branches[n][11:], "main", "")
        merge.following = head
        registry.merges[n + 1] = merge
        host.world.take(registry, merge)
    host.log.clear()
    assert [r.id for r in anna.forge.requests()] == [f"anna/x-{n}" for n in range(103)]
    lists = [path for _, path, _ in host.log if path.endswith("/merge_requests")]
    assert len(lists) == 2


def test_two_of_one_name_are_told_apart(anna: Client, ky: Client) -> None:
    first = anna.forge.open(anna.draft())
    forged = ky.forge.open(Draft("anna/x-1", ky.commit("Add x", ky.main, x=b"evil"), "Add x"))
    assert [r.id for r in anna.forge.requests()] == ["anna/x-1", f"!{forged.number}"]
    assert anna.forge.request("anna/x-1").number == first.number
    assert anna.forge.request(f"!{forged.number}").head == forged.head


def test_a_name_that_somebody_took_first_still_means_ones_own(anna: Client, ky: Client) -> None:
    taken = ky.forge.open(Draft("anna/x-1", ky.commit("Add x", ky.main, x=b"evil"), "Add x"))
    own = anna.forge.open(anna.draft())
    assert anna.forge.request("anna/x-1").number == own.number
    assert ky.forge.request("anna/x-1").number == taken.number


def test_a_head_that_is_not_there_yet_hides_no_other(
    anna: Client, ky: Client, registry: Project
) -> None:
    first = anna.forge.open(anna.draft())
    second = anna.forge.open(anna.draft("y-1", y=b"1"))
    registry.disk.git("update-ref", "-d", f"refs/merge-requests/{second.number}/head")
    assert [r.id for r in ky.forge.requests()] == [first.id, second.id]
    assert ky.mirror.commit(first.head).subject == "Add x"


@pytest.mark.parametrize("name", ["ky/none-1", "!99", "99"])
def test_what_is_not_there_is_said(anna: Client, name: str) -> None:
    with pytest.raises(InputError) as caught:
        anna.forge.request(name)
    assert caught.value.code == "no-request"


def test_a_merge_request_to_another_branch_is_none_of_ours(
    anna: Client, host: GitLabHost, registry: Project
) -> None:
    opened = anna.forge.open(anna.draft())
    only(registry).target_branch = "other"
    host.write(registry, "other", {"a": "1"})
    assert anna.forge.requests() == []
    with pytest.raises(InputError) as caught:
        anna.forge.request(f"!{opened.number}")
    assert caught.value.code == "no-request"


def test_a_renamed_registry_is_found(ky: Client, host: GitLabHost, registry: Project) -> None:
    host.world.rename(registry, "clinics/moved")
    opened = ky.forge.open(ky.draft())
    assert ky.forge.request("ky/x-1") == opened


def test_an_empty_project_gets_its_first_commit(host: GitLabHost, tmp_path: Path) -> None:
    host.world.delete(host.find(REGISTRY))
    host.project("anna", REGISTRY, {})
    anna = Client(tmp_path / "anna.git", host, host.user("anna"))
    assert anna.forge.main() is None
    first = anna.mirror.write_commit(
        write_files(anna.mirror, EMPTY_TREE, {"a": b"1"}), [], "1", WHO
    )
    anna.forge.create_main(first, None)
    assert anna.main == host.find(REGISTRY).disk.tip("main") == first


def test_main_is_made_once_and_by_who_may(anna: Client, ky: Client) -> None:
    before = anna.main
    first = anna.commit("Found", before, b=b"1")
    anna.forge.create_main(first, before)
    assert anna.main == first
    with pytest.raises(RaceError):
        anna.forge.create_main(anna.commit("Late", before, c=b"1"), before)
    with pytest.raises(GitError):
        ky.forge.create_main(ky.commit("Mine", before, d=b"1"), before)


def test_a_registry_on_gitlab_gets_this_forge(
    host: GitLabHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPGIT_HOME", str(tmp_path / "home"))
    mirror = Repository.create(tmp_path / "mirror.git")
    url = host.clone_url(REGISTRY)
    entry = RegistryEntry(name="clinic", url=url, genesis="0" * 64, host="gitlab")
    forge = forge_of(Home.from_environment(), entry, mirror, print)
    assert isinstance(forge, GitLabForge)
    forge.fetch()
    assert forge.requests() == []
