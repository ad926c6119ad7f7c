"""What goes wrong on purpose, and the device flow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from tests.support.github.client import Person
from tests.support.github.faults import Fault
from tests.support.github.host import GitHubHost
from tests.support.github.state import Pull, Repo
from tests.support.patience import PATIENCE

HERE: Final = "/repos/anna/registry"
GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture
def anna(host: GitHubHost, tmp_path: Path) -> Person:
    """With a pull request of hers."""
    person = Person(host, "anna", tmp_path)
    host.write(host.find("anna", "registry"), "x", {"a": "b"})
    body = {"title": "x", "head": "x", "base": "main"}
    assert person.post(f"{HERE}/pulls", body).status_code == 201
    return person


def test_a_lost_reply_does_the_work(host: GitHubHost, anna: Person) -> None:
    host.faults.append(Fault("POST", r"/comments$", "lost-reply"))
    with pytest.raises(requests.ConnectionError):
        anna.post(f"{HERE}/issues/1/comments", {"body": "Once."})
    assert host.log[-1] == ("POST", f"{HERE}/issues/1/comments", 201)
    assert len(anna.get(f"{HERE}/issues/1/comments").json()) == 1


def test_a_push_s_reply_can_be_lost(host: GitHubHost, anna: Person) -> None:
    host.faults.append(Fault("POST", r"git-receive-pack$", "lost-reply"))
    anna.push("anna", "y", "a", fails=True)
    assert host.find("anna", "registry").disk.tip("y")


def test_a_bad_gateway_does_not(host: GitHubHost, anna: Person) -> None:
    host.faults.append(Fault("POST", r"/comments$", "502", times=2))
    path = f"{HERE}/issues/1/comments"
    answers = [anna.post(path, {"body": "Again."}).status_code for _ in range(3)]
    assert answers == [502, 502, 201]
    assert len(anna.get(path).json()) == 1


def test_a_timeout(host: GitHubHost, anna: Person) -> None:
    host.faults.append(Fault("*", r"/pulls", "timeout", seconds=2 * PATIENCE))
    before = time.monotonic()
    with pytest.raises(requests.Timeout):
        anna.get(f"{HERE}/pulls", timeout=0.2)
    assert time.monotonic() - before < PATIENCE
    assert anna.get(f"{HERE}/pulls").status_code == 200


def test_rate_limits(host: GitHubHost, anna: Person) -> None:
    usual = anna.get("/user")
    assert int(usual.headers["x-ratelimit-remaining"]) > 0
    host.faults += [Fault("GET", "/user", "rate-limit"), Fault("GET", "/user", "secondary")]
    first, second = anna.get("/user"), anna.get("/user")
    assert (first.status_code, first.headers["x-ratelimit-remaining"]) == (403, "0")
    assert 0 <= int(first.headers["x-ratelimit-reset"]) - time.time() + 1 <= 2
    assert "rate limit exceeded" in first.json()["message"]
    assert (second.status_code, second.headers["retry-after"]) == (403, "1")
    assert "secondary rate limit" in second.json()["message"]
    assert anna.get("/user").status_code == 200


def test_races(host: GitHubHost, anna: Person) -> None:
    repo = host.find("anna", "registry")
    sha = repo.pulls[1].head_sha

    def move() -> None:
        repo.disk.write("main", {"c": "d"})

    host.faults.append(Fault("PUT", r"/merge$", "late-race", callback=move))
    answer = anna.put(f"{HERE}/pulls/1/merge", {"sha": sha})
    assert (answer.status_code, answer.json()["message"][:24]) == (405, "Base branch was modified")
    host.faults.append(
        Fault("PUT", r"/merge$", "race", callback=lambda: host.write(repo, "x", {"e": "f"}))
    )
    assert anna.put(f"{HERE}/pulls/1/merge", {"sha": sha}).status_code == 409
    assert anna.put(f"{HERE}/pulls/1/merge").status_code == 200


def test_bad_requests_and_answers_are_violations(tmp_path: Path) -> None:
    with GitHubHost(tmp_path / "github") as host:
        repo = host.repository("anna", "registry")
        anna = Person(host, "anna", tmp_path)
        anna.get(f"{HERE}/pulls?stat=open")
        anna.post(f"{HERE}/forks", {"nam": "x"})
        anna.get(f"{HERE}/nowhere")
        assert len(host.violations) == 3
        repo.actions["enabled"] = "yes"
        anna.get(f"{HERE}/actions/permissions")
        assert "answer 200.enabled" in host.violations[-1]
        assert (
            requests.post(f"{host.api}{HERE}/forks", data="{", timeout=PATIENCE).status_code == 400
        )
        assert len(host.violations) == 5


def test_what_fails_inside_is_heard(tmp_path: Path) -> None:
    def fail(repo: Repo, pull: Pull) -> None:
        raise RuntimeError("the validator broke")

    def play() -> None:
        with GitHubHost(tmp_path / "github") as host:
            repo = host.repository("anna", "registry")
            host.write(repo, "x", {"a": "b"})
            host.on_pull = fail
            body = {"title": "x", "head": "x", "base": "main"}
            assert Person(host, "anna", tmp_path).post(f"{HERE}/pulls", body).status_code == 500

    with pytest.raises(AssertionError, match="the validator broke"):
        play()


def test_no_token_is_logged(host: GitHubHost, anna: Person) -> None:
    anna.push("anna", "y", "a")
    assert anna.user.token not in str(host.log) + str(host.violations) + str(host.errors)


def test_who_does_not_say_what_it_is(host: GitHubHost) -> None:
    answer = requests.get(f"{host.api}/meta", headers={"User-Agent": ""}, timeout=PATIENCE)
    assert answer.status_code == 403


# --- the device flow -----------------------------------------------------------------------------


def ask(host: GitHubHost, path: str, **fields: Any) -> dict[str, Any]:
    answer = requests.post(
        f"{host.url}/login/{path}",
        data=fields,
        headers={"Accept": "application/json"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_a_device_gets_a_token(host: GitHubHost) -> None:
    host.login.interval = 0
    client = {"client_id": host.login.client_id}
    device = ask(host, "device/code", **client, scope="public_repo")
    assert device["verification_uri"] == f"{host.url}/login/device"
    words = {**client, "device_code": device["device_code"], "grant_type": GRANT}
    assert ask(host, "oauth/access_token", **words)["error"] == "authorization_pending"
    host.authorize(device["user_code"], "ky")
    found = ask(host, "oauth/access_token", **words)
    assert (found["access_token"], found["scope"]) == (host.user("ky").token, "public_repo")
    assert ask(host, "oauth/access_token", **words)["error"] == "incorrect_device_code"


def test_a_device_gets_none(host: GitHubHost) -> None:
    client = {"client_id": host.login.client_id}
    device = ask(host, "device/code", **client)
    words = {**client, "device_code": device["device_code"], "grant_type": GRANT}
    assert ask(host, "oauth/access_token", **words)["error"] == "authorization_pending"
    slow = ask(host, "oauth/access_token", **words)
    assert (slow["error"], slow["interval"]) == ("slow_down", 6)
    host.login.devices[0].interval = 0
    host.deny(device["user_code"])
    assert ask(host, "oauth/access_token", **words)["error"] == "access_denied"
    host.login.devices[0].expires = 0
    assert ask(host, "oauth/access_token", **words)["error"] == "expired_token"
    assert ask(host, "device/code", client_id="x")["error"] == "incorrect_client_credentials"
    bad = {**words, "grant_type": "x"}
    assert ask(host, "oauth/access_token", **bad)["error"] == "unsupported_grant_type"


def test_without_an_accept_header_answers_are_forms(host: GitHubHost) -> None:
    body = {"client_id": host.login.client_id}
    answer = requests.post(f"{host.url}/login/device/code", data=body, timeout=PATIENCE)
    assert answer.text.startswith("device_code=")
