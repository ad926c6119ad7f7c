"""The stand-in hosts as GitHub does, and never breaks GitHub's own description doing it.

Merges, checks and rules: `test_merging`. Faults and the device flow: `test_faults`.
"""

from __future__ import annotations

from typing import Final

import pytest
import requests

from tests.support.github.client import Person, pull_from_fork
from tests.support.github.host import GitHubHost
from tests.support.patience import PATIENCE, until

HERE: Final = "/repos/anna/registry"


# --- who may what ----------------------------------------------------------------------------


def test_people(host: GitHubHost, ky: Person) -> None:
    assert ky.get("/user").json()["login"] == "ky"
    assert ky.get("/meta").status_code == 200
    for headers, words in (({}, "Requires authentication"), (_bad(), "Bad credentials")):
        answer = requests.get(f"{host.api}/user", headers=headers, timeout=PATIENCE)
        assert (answer.status_code, answer.json()["message"]) == (401, words)
    assert ky.get("/repos/anna/none").status_code == 404


def test_a_repository_as_its_viewer_may_know_it(host: GitHubHost, anna: Person, ky: Person) -> None:
    mine, theirs = anna.get(HERE).json(), ky.get(HERE).json()
    assert mine["permissions"]["admin"]
    assert mine["allow_merge_commit"]
    assert theirs["permissions"] == {
        "pull": True, "triage": False, "push": False, "maintain": False, "admin": False,
    }  # fmt: skip
    assert "allow_merge_commit" not in theirs
    assert (mine["fork"], mine["default_branch"]) == (False, "main")
    assert "permissions" not in requests.get(host.api + HERE, timeout=PATIENCE).json()


def test_a_push_needs_the_right(host: GitHubHost, anna: Person, ky: Person) -> None:
    assert "Permission to anna/registry.git denied to ky" in ky.push("anna", "x", "a", fails=True)
    assert host.find("anna", "registry").disk.tip("x") is None
    anna.push("anna", "x", "a")
    host.collaborator(host.find("anna", "registry"), "ky", "write")
    ky.push("anna", "y", "b")
    assert {"refs/heads/x", "refs/heads/y"} < set(host.find("anna", "registry").disk.refs())
    address = f"{host.clone_url('anna', 'registry')}/info/refs?service=git-upload-pack"
    assert requests.get(address, timeout=PATIENCE).status_code == 200
    assert requests.get(address, headers=_bad(), timeout=PATIENCE).status_code == 401


def test_a_push_larger_than_one_piece(host: GitHubHost, anna: Person) -> None:
    anna.push("anna", "x", "a", size=3_000_000)
    assert host.find("anna", "registry").disk.tip("x")


@pytest.mark.parametrize(
    ("rule", "how"),
    [("non_fast_forward", "force"), ("pull_request", ""), ("update", "")],
)
def test_rules_hold_for_pushes(host: GitHubHost, anna: Person, rule: str, how: str) -> None:
    repo = host.find("anna", "registry")
    anna.push("anna", "main", "a")
    ruleset = host.ruleset(repo, rule)
    before = repo.disk.tip("main")
    assert "GH013: Repository rule violations found" in anna.push(
        "anna", "main", "b", how=how, fails=True
    )
    assert repo.disk.tip("main") == before
    anna.push("anna", "other", "b")  # the rule is main's
    ruleset.bypass_actors = [{"actor_id": 5, "actor_type": "RepositoryRole"}]
    anna.push("anna", "main", "b", how=how)
    assert repo.disk.tip("main") != before


def test_what_may_not_be_deleted(host: GitHubHost, anna: Person) -> None:
    """A branch with a rule, and main in any case; what may not be made is not made."""
    repo = host.find("anna", "registry")
    anna.push("anna", "kept", "a")
    ruleset = host.ruleset(repo, "deletion", "creation")
    ruleset.conditions = {"ref_name": {"include": ["refs/heads/kept*"], "exclude": []}}
    assert "Cannot delete this branch" in anna.push("anna", "kept", "", how="delete", fails=True)
    assert "creations being restricted" in anna.push("anna", "kept-2", "b", fails=True)
    assert "current branch" in anna.push("anna", "main", "", how="delete", fails=True)
    anna.push("anna", "kept", "b")
    anna.push("anna", "other", "b")
    anna.push("anna", "other", "", how="delete")
    assert set(repo.disk.refs()) == {"refs/heads/main", "refs/heads/kept"}


def test_a_required_check_holds_for_pushes(host: GitHubHost, anna: Person) -> None:
    repo = host.find("anna", "registry")
    host.ruleset(repo, checks=("verify",))
    anna.push("anna", "x", "a")
    words = anna.push("anna", "main", "", how="same", fails=True)
    assert 'Required status check "verify" is expected.' in words
    host.check_run(repo, repo.disk.tip("x") or "", "verify")
    anna.push("anna", "main", "", how="same")


def test_only_main_s_history_is_kept_straight(host: GitHubHost, anna: Person) -> None:
    host.ruleset(host.find("anna", "registry"), "non_fast_forward")
    anna.push("anna", "main", "a")
    anna.push("anna", "x", "b")
    anna.push("anna", "x", "c", how="force")


def test_nobody_pushes_to_a_pull_request_s_own_name(host: GitHubHost, anna: Person) -> None:
    words = anna.push("anna", "refs/pull/1/head", "a", fails=True)
    assert "deny updating a hidden ref" in words


# --- forks and pull requests --------------------------------------------------------------------


def test_a_fork_takes_a_while(host: GitHubHost, ky: Person) -> None:
    host.fork_takes(3)
    made = ky.post(f"{HERE}/forks").json()
    assert (made["full_name"], made["parent"]["full_name"]) == ("ky/registry", "anna/registry")
    assert ky.get("/repos/ky/registry").status_code == 404
    assert "not found" in ky.push("ky", "x", "a", fails=True)
    until(lambda: ky.get("/repos/ky/registry").json().get("fork"))
    assert ky.post(f"{HERE}/forks").json()["id"] == made["id"]
    ky.push("ky", "x", "a")


def test_a_fork_beside_a_namesake(host: GitHubHost, ky: Person) -> None:
    host.repository("ky", "registry")
    assert ky.post(f"{HERE}/forks").json()["full_name"] == "ky/registry-1"


def test_a_pull_request_follows_its_branch(host: GitHubHost, ky: Person) -> None:
    told: list[tuple[str, str]] = []
    host.on_pull = lambda repo, pull: told.append((repo.full_name, pull.head_sha))
    first = pull_from_fork(ky)["head"]["sha"]
    ky.push("ky", "result", "more")
    found = ky.get(f"{HERE}/pulls/1").json()
    assert found["head"]["sha"] != first
    assert found["mergeable_state"] == "clean"
    assert told == [("anna/registry", first), ("anna/registry", found["head"]["sha"])]
    assert host.find("anna", "registry").disk.refs("refs/pull/1/head") == {
        "refs/pull/1/head": found["head"]["sha"]
    }
    assert "refs/pull/1/head" in ky.git("ls-remote", host.clone_url("anna", "registry"))
    changed = ky.patch(f"{HERE}/pulls/1", {"title": "B", "state": "closed"}).json()
    assert (changed["title"], changed["state"]) == ("B", "closed")
    ky.push("ky", "result", "even more")
    assert ky.get(f"{HERE}/pulls/1").json()["head"]["sha"] == found["head"]["sha"]
    assert len(told) == 2


def test_pull_requests_that_cannot_be_opened(ky: Person) -> None:
    pull_from_fork(ky)
    good = {"title": "x", "head": "ky:result", "base": "main"}
    for change, words in (
        ({}, "A pull request already exists for ky:result."),
        ({"head": "ky:main"}, "No commits between anna:main and ky:main"),
        ({"head": "ky:none"}, "head"),
        ({"head": "ms:main"}, "head"),
        ({"base": "none"}, "base"),
    ):
        answer = ky.post(f"{HERE}/pulls", good | change)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, answer.json()["message"]) == (422, "Validation Failed")
        assert error.get("message", error.get("field")) == words


def test_maintainers_push_to_a_branch_that_is_opened_to_them(
    host: GitHubHost, anna: Person, ky: Person
) -> None:
    number = pull_from_fork(ky)["number"]
    assert "denied to anna" in anna.push("ky", "result", "a", fails=True)
    ky.patch(f"{HERE}/pulls/{number}", {"maintainer_can_modify": True})
    anna.push("ky", "result", "a")
    assert "denied to anna" in anna.push("ky", "main", "b", fails=True)
    assert "Permission" in Person(host, "ms", ky.folder.parent).push(
        "ky", "result", "c", fails=True
    )


def test_a_branch_and_a_fork_that_vanish(host: GitHubHost, ky: Person) -> None:
    pull_from_fork(ky)
    ky.push("ky", "other", "b")
    ky.post(f"{HERE}/pulls", {"title": "B", "head": "ky:other", "base": "main"})
    ky.push("ky", "result", "", how="delete")
    assert ky.get(f"{HERE}/pulls/1").json()["state"] == "closed"
    host.delete("ky", "registry")
    for number, state in ((1, "closed"), (2, "open")):
        found = ky.get(f"{HERE}/pulls/{number}").json()
        assert (found["head"]["repo"], found["state"]) == (None, state)
        assert found["head"]["label"].startswith("ky:")


def test_lists_come_in_pages(host: GitHubHost, ky: Person) -> None:
    ky.post(f"{HERE}/forks")
    for name in "abcde":
        host.write(host.find("ky", "registry"), name, {name: name})
        ky.post(f"{HERE}/pulls", {"title": name, "head": f"ky:{name}", "base": "main"})
    seen: list[str] = []
    path = f"{host.api}{HERE}/pulls?per_page=2"
    while path:
        answer = ky.get(path)
        seen += [each["title"] for each in answer.json()]
        path = answer.links.get("next", {}).get("url", "")
        assert not path or "/repositories/" in path
    assert "".join(seen) == "edcba"
    ky.patch(f"{HERE}/pulls/2", {"state": "closed"})
    for query, titles in (
        ("", "edca"), ("?state=all", "edcba"), ("?state=closed", "b"), ("?head=ky:c", "c"),
        ("?head=c", "edca"), ("?base=x", ""), ("?sort=created&direction=asc", "acde"),
        ("?sort=updated&state=all&direction=desc&per_page=1", "b"),
    ):  # fmt: skip
        found = ky.get(f"{HERE}/pulls{query}").json()
        if "updated" not in query:
            assert "".join(each["title"] for each in found) == titles


def test_comments_and_labels(host: GitHubHost, anna: Person, ky: Person) -> None:
    pull_from_fork(ky)
    assert ky.post(f"{HERE}/issues/1/comments", {"body": "Please."}).status_code == 201
    (comment,) = anna.get(f"{HERE}/issues/1/comments").json()
    assert (comment["body"], comment["user"]["login"]) == ("Please.", "ky")
    assert ky.post(f"{HERE}/issues/2/comments", {"body": "x"}).status_code == 404
    assert ky.post(f"{HERE}/issues/1/labels", {"labels": ["a"]}).status_code == 403
    host.collaborator(host.find("anna", "registry"), "ky", "triage")
    ky.post(f"{HERE}/issues/1/labels", {"labels": ["a", "b"]})
    ky.post(f"{HERE}/issues/1/labels", {"labels": ["b", "c"]})
    names = [each["name"] for each in ky.get(f"{HERE}/issues/1/labels").json()]
    assert names == ["a", "b", "c"]
    assert len(ky.get(f"{HERE}/pulls/1").json()["labels"]) == 3


# --- names that changed -----------------------------------------------------------------------


def test_a_renamed_repository(host: GitHubHost, anna: Person, ky: Person) -> None:
    pull_from_fork(ky)
    number = host.find("anna", "registry").id
    host.rename("anna", "registry", "records")
    answer = requests.get(f"{host.api}{HERE}/pulls", timeout=PATIENCE, allow_redirects=False)
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"{host.api}/repositories/{number}/pulls"
    body = {"body": "Still here."}
    answer = ky.post(f"{HERE}/issues/1/comments", body, allow_redirects=False)
    assert answer.status_code == 307
    assert ky.post(f"{HERE}/issues/1/comments", body).status_code == 201
    assert ky.get(f"/repositories/{number}").json()["full_name"] == "anna/records"
    assert ky.get(HERE).json()["name"] == "records"
    anna.push("anna", "x", "a")  # to the old address
    assert host.find("anna", "records").disk.tip("x")
    host.repository("anna", "registry")
    assert ky.get(HERE).json()["id"] != number


def _bad() -> dict[str, str]:
    return {"Authorization": "Bearer wrong"}
