"""The stand-in merges, checks and refuses as GitHub does."""

from __future__ import annotations

import threading
from typing import Any, Final

from tests.support.github.client import Person, pull_from_fork
from tests.support.github.host import GitHubHost
from tests.support.github.state import Pull, Repo

HERE: Final = "/repos/anna/registry"
RULESET: Final[dict[str, Any]] = {
    "name": "main",
    "enforcement": "active",
    "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
    "rules": [{"type": "deletion"}],
}


def test_a_merge(host: GitHubHost, anna: Person, ky: Person) -> None:
    sha = pull_from_fork(ky, body="Why")["head"]["sha"]
    repo = host.find("anna", "registry")
    before = host.write(repo, "main", {"meanwhile": "x"})
    assert ky.put(f"{HERE}/pulls/1/merge").status_code == 403
    answer = anna.put(f"{HERE}/pulls/1/merge", {"sha": "0" * 40})
    assert (answer.status_code, answer.json()["message"][:24]) == (409, "Head branch was modified")
    trial = anna.get(f"{HERE}/pulls/1").json()["merge_commit_sha"]
    merged = anna.put(
        f"{HERE}/pulls/1/merge", {"sha": sha, "commit_title": "T", "commit_message": "M"}
    ).json()
    assert merged["merged"]
    assert merged["sha"] == repo.disk.tip("main") != trial
    shown = repo.disk.git("show", "--no-patch", "--format=%P|%an|%cn|%B", merged["sha"])
    assert shown == f"{before} {sha}|anna|GitHub|T\n\nM"
    found = ky.get(f"{HERE}/pulls/1").json()
    assert (found["merged"], found["state"], found["merged_by"]["login"]) == (
        True,
        "closed",
        "anna",
    )
    assert found["merge_commit_sha"] == merged["sha"]
    assert anna.put(f"{HERE}/pulls/1/merge").status_code == 405
    assert anna.patch(f"{HERE}/pulls/1", {"state": "open"}).status_code == 422


def test_other_merges(host: GitHubHost, anna: Person, ky: Person) -> None:
    pull_from_fork(ky)
    repo = host.find("anna", "registry")
    answer = anna.put(f"{HERE}/pulls/1/merge", {"merge_method": "rebase"})
    assert answer.json()["message"] == "Rebase merges are not allowed on this repository."
    before = repo.disk.tip("main")
    sha = anna.put(f"{HERE}/pulls/1/merge", {"merge_method": "squash"}).json()["sha"]
    assert repo.disk.git("show", "--no-patch", "--format=%P|%s", sha) == f"{before}|A result (#1)"


def test_a_conflict(host: GitHubHost, anna: Person, ky: Person) -> None:
    pull_from_fork(ky)
    host.write(host.find("anna", "registry"), "main", {"result.yaml": "another"})
    found = ky.get(f"{HERE}/pulls/1").json()
    assert (found["mergeable"], found["mergeable_state"]) == (False, "dirty")
    answer = anna.put(f"{HERE}/pulls/1/merge")
    assert (answer.status_code, answer.json()["message"]) == (405, "Pull Request is not mergeable")


def test_a_push_to_main_that_holds_the_head_merges(host: GitHubHost, anna: Person) -> None:
    anna.push("anna", "x", "a")
    anna.post(f"{HERE}/pulls", {"title": "x", "head": "x", "base": "main"})
    anna.push("anna", "main", "", how="same")
    found = anna.get(f"{HERE}/pulls/1").json()
    assert found["merged"]
    assert found["merge_commit_sha"] == host.find("anna", "registry").disk.tip("main")


def test_mergeable_is_unknown_at_first(host: GitHubHost, ky: Person) -> None:
    host.mergeable_after(2)
    assert pull_from_fork(ky)["mergeable"] is None
    assert [ky.get(f"{HERE}/pulls/1").json()["mergeable"] for _ in range(2)] == [None, True]


# --- checks and rules ---------------------------------------------------------------------------


def test_a_required_check(host: GitHubHost, anna: Person, ky: Person) -> None:
    sha = pull_from_fork(ky)["head"]["sha"]
    repo, path = host.find("anna", "registry"), f"{HERE}/commits"
    host.ruleset(repo, checks=("verify",))
    assert ky.get(f"{HERE}/pulls/1").json()["mergeable_state"] == "blocked"
    for conclusion, word in (("", "expected"), (None, "in progress"), ("failure", "failing")):
        if conclusion != "":
            host.check_run(repo, sha, "verify", conclusion)
        answer = anna.put(f"{HERE}/pulls/1/merge")
        assert (answer.status_code, word in answer.json()["message"]) == (405, True)
    bot = Person(host, "bot", ky.folder.parent, app=True)
    run = {"name": "verify", "head_sha": sha, "conclusion": "success"}
    assert ky.post(f"{HERE}/check-runs", run).status_code == 403
    assert bot.post(f"{HERE}/check-runs", run).status_code == 403
    host.collaborator(repo, "bot", "write")
    assert bot.post(f"{HERE}/check-runs", run).json()["status"] == "completed"
    assert bot.post(f"{HERE}/check-runs", run | {"head_sha": "0" * 40}).status_code == 422
    for query, count in (
        ("", 2),
        ("?filter=all", 3),
        ("?check_name=x", 0),
        ("?status=completed", 2),
    ):
        assert ky.get(f"{path}/{sha}/check-runs{query}").json()["total_count"] == count
    assert anna.put(f"{HERE}/pulls/1/merge").status_code == 405  # the other app's still fails
    host.check_run(repo, sha, "verify")
    assert anna.put(f"{HERE}/pulls/1/merge").status_code == 200


def test_statuses(host: GitHubHost, ky: Person) -> None:
    repo = host.find("anna", "registry")
    sha = repo.disk.tip("main") or ""
    path = f"{HERE}/commits/main/status"
    assert ky.get(path).json()["state"] == "pending"
    host.status(repo, sha, "verify", "failure")
    assert ky.get(path).json()["state"] == "failure"
    host.status(repo, sha, "verify")
    found = ky.get(path).json()
    assert (found["state"], found["total_count"], found["sha"]) == ("success", 1, sha)
    assert ky.get(f"{HERE}/commits/none/status").status_code == 422


def test_rulesets(host: GitHubHost, anna: Person, ky: Person) -> None:
    assert ky.post(f"{HERE}/rulesets", RULESET).status_code == 403
    made = anna.post(f"{HERE}/rulesets", RULESET).json()
    assert anna.post(f"{HERE}/rulesets", RULESET).status_code == 422
    assert "rules" not in ky.get(f"{HERE}/rulesets").json()[0]
    one = f"{HERE}/rulesets/{made['id']}"
    assert "bypass_actors" in anna.get(one).json()
    assert "bypass_actors" not in ky.get(one).json()
    (rule,) = ky.get(f"{HERE}/rules/branches/main").json()
    assert (rule["type"], rule["ruleset_id"]) == ("deletion", made["id"])
    assert ky.get(f"{HERE}/rules/branches/other").json() == []
    assert anna.put(one, {"enforcement": "disabled"}).json()["rules"] == [{"type": "deletion"}]
    assert ky.get(f"{HERE}/rules/branches/main").json() == []


def test_what_administrators_look_at(host: GitHubHost, anna: Person, ky: Person) -> None:
    assert anna.get(f"{HERE}/actions/permissions").json()["enabled"]
    assert ky.get(f"{HERE}/actions/permissions").status_code == 403
    path = f"{HERE}/branches/main/protection"
    assert anna.get(path).json()["message"] == "Branch not protected"
    host.find("anna", "registry").protection["main"] = {"enforce_admins": _enforced()}
    assert anna.get(path).json()["enforce_admins"]["enabled"]
    assert ky.get(path).json()["message"] == "Not Found"


def test_the_validator_can_answer_from_within(host: GitHubHost, anna: Person, ky: Person) -> None:
    host.ruleset(host.find("anna", "registry"), checks=("verify",))
    bot = Person(host, "bot", ky.folder.parent, app=True)
    host.collaborator(host.find("anna", "registry"), "bot", "write")

    def verify(repo: Repo, pull: Pull) -> None:
        run = {"name": "verify", "head_sha": pull.head_sha, "conclusion": "success"}
        assert bot.post(f"/repos/{repo.full_name}/check-runs", run).status_code == 201

    host.on_pull = verify
    pull_from_fork(ky)
    assert anna.put(f"{HERE}/pulls/1/merge").status_code == 200


def test_many_at_once(host: GitHubHost, anna: Person, ky: Person) -> None:
    pull_from_fork(ky)
    answers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(anna.put(f"{HERE}/pulls/1/merge").status_code)
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 405, 405, 405]


def _enforced() -> dict[str, Any]:
    return {"url": "http://localhost/enforce_admins", "enabled": True}
