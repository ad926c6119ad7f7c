"""The stand-in hosts as GitLab documents it, and its table names what `python-gitlab` names."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from gitlab.v4.objects import ProjectForkManager, ProjectMergeRequestManager
from gitlab.v4.objects import ProjectMergeRequestNoteManager as NoteManager

from tests.support.github.disk import ZERO, Disk
from tests.support.gitlab.faults import Fault
from tests.support.gitlab.host import GitLabHost
from tests.support.gitlab.parameters import OPERATIONS, Kind, faults
from tests.support.gitlab.state import DEVELOPER, MAINTAINER, Project, User
from tests.support.patience import PATIENCE, until

HERE = "/projects/anna%2Fregistry"
MERGES = f"{HERE}/merge_requests"
MERGE = f"{MERGES}/1"


class Person:
    """Somebody who calls the API and pushes."""

    def __init__(self, host: GitLabHost, user: User) -> None:
        self.host, self.user = host, user

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:
        headers = {"PRIVATE-TOKEN": self.user.token}
        return requests.request(
            method, self.host.api + path, headers=headers, json=body, params=query, timeout=PATIENCE
        )

    def push(self, source: Disk, target: str, commit: str, branch: str) -> str:
        """Pushes a commit; returns what git says against it."""
        url = self.host.clone_url(target, self.user)
        words = ["git", "push", "--quiet", url, f"{commit}:refs/heads/{branch}"]
        done = subprocess.run(words, cwd=source.path, capture_output=True, text=True, check=False)
        return done.stderr if done.returncode else ""

    def opens(self, source: Project, branch: str = "x", **more: Any) -> requests.Response:
        body = {"source_branch": branch, "target_branch": "main", "title": "X", **more}
        return self.call("POST", f"/projects/{source.id}/merge_requests", body)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitLabHost]:
    with GitLabHost(tmp_path / "gitlab") as made:
        made.project("anna", "anna/registry")
        yield made


@pytest.fixture
def registry(host: GitLabHost) -> Project:
    return host.find("anna/registry")


@pytest.fixture
def anna(host: GitLabHost) -> Person:
    return Person(host, host.user("anna"))


@pytest.fixture
def ky(host: GitLabHost) -> Person:
    return Person(host, host.user("ky"))


def test_who_asks(host: GitLabHost, ky: Person) -> None:
    for path in ("/version", "/user"):
        answer = requests.get(host.api + path, timeout=PATIENCE)
        assert (answer.status_code, answer.json()) == (401, {"message": "401 Unauthorized"})
        assert ky.call("GET", path).status_code == 200
    bad = requests.get(host.api + HERE, headers={"PRIVATE-TOKEN": "no"}, timeout=PATIENCE)
    assert bad.status_code == 401
    bearer = {"Authorization": f"Bearer {ky.user.token}"}
    assert (
        requests.get(f"{host.api}/user", headers=bearer, timeout=PATIENCE).json()["username"]
        == "ky"
    )


def test_who_sees_a_project(host: GitLabHost, registry: Project, ky: Person) -> None:
    assert ky.call("GET", HERE).json()["id"] == registry.id
    assert ky.call("GET", f"/projects/{registry.id}").json()["path"] == "registry"
    registry.private = True
    assert ky.call("GET", HERE).status_code == 404
    host.member(registry, "ky", DEVELOPER)
    assert ky.call("GET", f"{HERE}/members/all/{ky.user.id}").json()["access_level"] == DEVELOPER


def test_who_pushes(host: GitLabHost, registry: Project, anna: Person, ky: Person) -> None:
    commit = host.write(registry, "x", {"x": "1"})
    assert "403" in ky.push(registry.disk, "anna/registry", commit, "y")
    host.member(registry, "ky", DEVELOPER)
    assert not ky.push(registry.disk, "anna/registry", commit, "y")
    assert "403" in ky.push(registry.disk, "anna/registry", commit, "main")
    host.member(registry, "ky", MAINTAINER)
    assert not ky.push(registry.disk, "anna/registry", commit, "main")


def test_a_fork_is_there_later(host: GitLabHost, registry: Project, ky: Person) -> None:
    host.world.fork_seconds = 3
    made = ky.call("POST", f"{HERE}/fork", {"branches": "main"})
    assert (made.status_code, made.json()["import_status"]) == (201, "scheduled")
    assert ky.call("POST", f"{HERE}/fork", {}).status_code == 409
    address = f"/projects/{made.json()['id']}"
    until(lambda: ky.call("GET", address).json()["import_status"] == "finished")
    (fork,) = ky.call("GET", f"{HERE}/forks", owned="true").json()
    assert fork["forked_from_project"]["id"] == registry.id


def test_a_merge_request_follows_its_branch(
    host: GitLabHost, registry: Project, anna: Person
) -> None:
    first = host.write(registry, "x", {"x": "1"})
    assert anna.opens(registry).json()["sha"] == first
    assert anna.opens(registry).status_code == 409
    host.world.unseen = 2
    second = host.write(registry, "x", {"x": "2"})
    seen = [anna.call("GET", MERGE).json()["sha"] for _ in range(3)]
    assert seen == [first, first, second]
    assert registry.disk.refs("refs/merge-requests") == {"refs/merge-requests/1/head": second}


def test_who_lends_a_branch(host: GitLabHost, registry: Project, anna: Person, ky: Person) -> None:
    ky.call("POST", f"{HERE}/fork", {})
    fork = host.find("ky/registry")
    commit = host.write(fork, "x", {"x": "1"})
    made = ky.opens(fork, target_project_id=registry.id, allow_collaboration=True, labels="a,b")
    assert (made.status_code, made.json()["labels"]) == (201, [])
    more = host.write(registry, "y", {"y": "1"})
    assert "403" in anna.push(registry.disk, "ky/registry", more, "other")
    assert "rejected" in anna.push(registry.disk, "ky/registry", more, "x")  # no fast-forward
    above = fork.disk.commit(fork.disk.tree({"z": "1"}), [commit], "Above", ("A", "a@example"))
    assert not anna.push(fork.disk, "ky/registry", above, "x")
    assert registry.merges[1].sha == above


def test_merging(host: GitLabHost, registry: Project, anna: Person, ky: Person) -> None:
    head = host.write(registry, "x", {"x": "1"})
    anna.opens(registry)
    before = registry.disk.tip("main")
    merge = f"{MERGE}/merge"
    assert ky.call("PUT", merge, {"sha": head}).status_code == 401
    assert anna.call("PUT", merge, {"sha": "0" * 40}).status_code == 409
    registry.needs_pipeline = True
    assert anna.call("PUT", merge, {"sha": head}).status_code == 405
    assert anna.call("GET", MERGE).json()["detailed_merge_status"] == "ci_must_pass"
    host.pipeline(registry, head, "running")
    assert anna.call("GET", MERGE).json()["detailed_merge_status"] == "ci_still_running"
    host.pipeline(registry, head)
    body = {"sha": head, "merge_commit_message": "Hello", "should_remove_source_branch": True}
    made = anna.call("PUT", merge, body).json()
    assert made["state"] == "merged"
    commit = registry.disk.git("log", "-1", "--format=%P%n%s", "main").splitlines()
    assert commit == [f"{before} {head}", "Hello"]
    assert registry.disk.tip("x") is None
    assert anna.call("PUT", merge, body).status_code == 405


BEHIND = [
    ("merge", {"y": "1"}, "mergeable", 200),
    ("merge", {"x": "2"}, "conflict", 422),
    ("rebase_merge", {"y": "1"}, "need_rebase", 405),
]


@pytest.mark.parametrize(("method", "files", "status", "code"), BEHIND)
def test_what_stands_behind_main(
    host: GitLabHost,
    registry: Project,
    anna: Person,
    method: str,
    files: dict[str, str],
    status: str,
    code: int,
) -> None:
    registry.merge_method = method
    registry.disk.move("x", registry.disk.tip("main") or "", ZERO)
    host.write(registry, "x", {"x": "1"})
    anna.opens(registry)
    host.write(registry, "main", files)
    assert anna.call("GET", MERGE).json()["detailed_merge_status"] == status
    assert anna.call("PUT", f"{MERGE}/merge", {}).status_code == code


def test_pages(host: GitLabHost, registry: Project, anna: Person) -> None:
    for n in range(3):
        host.write(registry, f"x{n}", {"x": f"{n}"})
        anna.opens(registry, f"x{n}")
    first = anna.call("GET", MERGES, per_page=2, sort="asc")
    assert [each["iid"] for each in first.json()] == [1, 2]
    assert (first.headers["X-Next-Page"], first.headers["X-Total"]) == ("2", "3")
    second = requests.get(first.links["next"]["url"], timeout=PATIENCE)
    assert [each["iid"] for each in second.json()] == [3]
    assert "next" not in second.links


def test_closing_and_saying(host: GitLabHost, registry: Project, anna: Person, ky: Person) -> None:
    host.write(registry, "x", {"x": "1"})
    anna.opens(registry)
    assert ky.call("PUT", MERGE, {"state_event": "close"}).status_code == 403
    anna.call("POST", f"{MERGE}/notes", {"body": "No"})
    assert [note["body"] for note in anna.call("GET", f"{MERGE}/notes").json()] == ["No"]
    closed = anna.call("PUT", MERGE, {"state_event": "close", "add_labels": "a"}).json()
    assert (closed["state"], closed["labels"]) == ("closed", ["a"])
    assert anna.call("GET", MERGES, state="opened").json() == []
    assert host.violations == []


def test_faults_strike_once(host: GitLabHost, anna: Person) -> None:
    host.faults += [
        Fault("GET", "/user$", "502"),
        Fault("GET", "/user$", "rate-limit", seconds=7),
        Fault("GET", "/user$", "hang-up"),
    ]
    assert anna.call("GET", "/user").status_code == 502
    limited = anna.call("GET", "/user")
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "7")
    with pytest.raises(requests.ConnectionError):
        anna.call("GET", "/user")
    assert anna.call("GET", "/user").status_code == 200


# --- the table ---------------------------------------------------------------------------------

WRONG = [
    ("GET", "/nothing", {}, None, "not in the table"),
    ("GET", "/user", {"x": "1"}, None, "query 'x' is unknown"),
    ("GET", "/user", {}, {"x": 1}, "takes no body"),
    ("GET", "/projects/1/merge_requests", {"state": "open"}, None, "none of opened, closed"),
    ("POST", "/projects/1/merge_requests", {}, {"title": "a"}, "needs 'source_branch'"),
    ("PUT", "/projects/1/merge_requests/1", {}, {"state_event": "open"}, "none of close, reopen"),
    ("PUT", "/projects/1/merge_requests/1/merge", {}, {"squash": 1}, "'squash' is no boolean"),
]


@pytest.mark.parametrize(("method", "path", "query", "body", "said"), WRONG)
def test_the_table_judges(
    method: str, path: str, query: dict[str, str], body: Any, said: str
) -> None:
    assert said in "; ".join(faults(method, path, query, body))


def test_a_wrong_request_is_a_violation(host: GitLabHost, anna: Person) -> None:
    anna.call("GET", "/user", sudo="root")
    assert host.violations == ["GET /user: query 'sudo' is unknown"]


DECLARED: list[tuple[str, str, Any, set[str]]] = [
    # What python-gitlab does not declare (yet) is in GitLab's documentation.
    (
        "GET /projects/{id}/merge_requests",
        "query",
        ProjectMergeRequestManager._list_filters,
        {"page", "per_page", "source_project_id"},
    ),
    (
        "POST /projects/{id}/merge_requests",
        "body",
        ProjectMergeRequestManager._create_attrs,
        set(),
    ),
    (
        "PUT /projects/{id}/merge_requests/{iid}",
        "body",
        ProjectMergeRequestManager._update_attrs,
        {"add_labels", "remove_labels", "allow_collaboration"},
    ),
    (
        "POST /projects/{id}/merge_requests/{iid}/notes",
        "body",
        NoteManager._create_attrs,
        {"created_at", "internal"},
    ),
    (
        "GET /projects/{id}/forks",
        "query",
        ProjectForkManager._list_filters,
        {"page", "per_page"},
    ),
]


@pytest.mark.parametrize(("name", "where", "declared", "more"), DECLARED)
def test_the_table_agrees_with_the_client(
    name: str, where: str, declared: Any, more: set[str]
) -> None:
    operation = OPERATIONS[name]
    ours: dict[str, Kind] = dict(operation.query if where == "query" else operation.body or {})
    theirs = declared if isinstance(declared, tuple) else (*declared.required, *declared.optional)
    assert set(ours) - set(theirs) == more
    if not isinstance(declared, tuple):
        assert set(declared.required) == set(operation.needs)
