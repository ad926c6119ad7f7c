"""GitLab's interface when it refuses, is slow, breaks, or leads astray; and where tokens go."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.errors import AwaitingError, GitError, HostError, InputError, MpgitError, RaceError
from medperf_git.forge import gitlab_api
from medperf_git.forge.base import Request
from medperf_git.forge.gitlab import GitLabForge
from medperf_git.forge.gitlab_api import GitLabApi
from medperf_git.forge.gitlab_pipelines import wait_or_raise
from medperf_git.forge.hosts import recognise
from medperf_git.forge.secret import Secret
from medperf_git.vcs import Repository
from tests.support.gitlab.faults import Fault, Kind
from tests.support.gitlab.host import GitLabHost

PROJECT = "/projects/anna%2Fregistry"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLabHost]:
    monkeypatch.setattr(gitlab_api, "_PAUSE_SECONDS", 0.02)
    with GitLabHost(tmp_path / "gitlab") as made:
        made.project("anna", "anna/registry")
        yield made


class Asker:
    """Somebody's way to the interface, and what they were told."""

    def __init__(self, host: GitLabHost, token: str = "") -> None:
        self.said: list[str] = []
        secret = Secret(token) if token else None
        self.api = GitLabApi(host.url, secret, tell=self.said.append, most_wait=5)

    def fails(self, path: str = PROJECT) -> HostError:
        with pytest.raises(HostError) as caught:
            self.api.get(path)
        return caught.value


@pytest.fixture
def anna(host: GitLabHost) -> Asker:
    return Asker(host, host.user("anna").token)


def test_a_wrong_token_is_said_and_not_shown(
    host: GitLabHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "glpat-wrongwrongwrongwrong"
    error = Asker(host, wrong).fails()
    assert (error.code, error.status) == ("login", 401)
    assert error.advice == f"log in anew: mpgit login {host.url.partition('://')[2]}"
    mirror = Repository.create(tmp_path / "mirror.git")
    url = host.clone_url("anna/registry")
    forge = GitLabForge(mirror, url, recognise(url, "gitlab"), lambda: Secret(wrong))
    with pytest.raises(GitError) as caught:
        forge.fetch()
    for each in (error, caught.value):
        assert wrong not in "".join(traceback.format_exception(each))
        assert wrong not in str(each.as_dict())
    assert wrong not in caplog.text


def test_a_token_that_a_host_says_back_is_not_shown(host: GitLabHost, anna: Asker) -> None:
    token = host.user("anna").token
    host.faults.append(Fault("GET", "", "echo", text=f"What is {token}?"))
    error = anna.fails()
    assert "What is …? (HTTP 400)" in str(error)
    assert token not in str(error.as_dict())


def test_nobody_is_told_to_log_in(host: GitLabHost, tmp_path: Path) -> None:
    nobody = Asker(host)
    assert nobody.api.get(PROJECT)["path_with_namespace"] == "anna/registry"
    host.find("anna/registry").private = True
    error = nobody.fails()
    assert error.code == "not-found"
    assert "mpgit login 127.0.0.1" in str(error.advice)


def test_no_password_of_a_netrc_is_sent(
    host: GitLabHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login x password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    # The stand-in refuses any password that it does not know.
    assert Asker(host).api.get(PROJECT)["id"]


def test_a_token_of_a_login_in_the_browser_is_sent_as_one(host: GitLabHost) -> None:
    host.user("ky").token = "0123456789abcdef" * 4
    assert Asker(host, host.user("ky").token).api.get("/user")["username"] == "ky"


@pytest.mark.parametrize("url", ["http://gitlab.example.org/a/b.git", "http://10.0.0.1/a/b.git"])
def test_no_token_goes_over_an_open_line(tmp_path: Path, url: str) -> None:
    mirror = Repository.create(tmp_path / "mirror.git")
    forge = GitLabForge(mirror, url, recognise(url, "gitlab"), lambda: Secret("glpat-x"))
    for call in (forge.fetch, forge.requests, lambda: forge.api):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.code == "not-encrypted"


def test_no_token_follows_a_redirect_to_another_host(
    host: GitLabHost, anna: Asker, tmp_path: Path
) -> None:
    with GitLabHost(tmp_path / "other") as other:
        for method in ("GET", "POST"):
            target = f"{other.api}/user"
            host.faults.append(Fault(method, "", "elsewhere", location=target))
            with pytest.raises(HostError) as caught:
                anna.api.get("/user") if method == "GET" else anna.api.send(
                    "POST", f"{PROJECT}/fork", {}
                )
            assert caught.value.code == "led-away"
        assert other.log == []


def test_no_next_page_is_read_from_another_host(host: GitLabHost, tmp_path: Path) -> None:
    host.user("anna")
    with GitLabHost(tmp_path / "other") as other:
        registry = host.find("anna/registry")
        anna = Asker(host, host.user("anna").token)
        host.world.url = other.url  # what it writes into its links
        pages = anna.api.pages(f"{PROJECT}/forks", per_page=1)
        for name in ("ky", "ny", "ms"):
            host.world.fork(registry, host.user(name))
        assert len(list(pages)) == 3
        assert other.log == []


BROKEN: list[tuple[Kind, str]] = [
    ("502", "HTTP 502"),
    ("hang-up", "ConnectionError"),
    ("html", "not answer in JSON"),
]


@pytest.mark.parametrize(("kind", "said"), BROKEN)
def test_a_host_that_stays_broken_is_said(
    host: GitLabHost, anna: Asker, kind: Kind, said: str
) -> None:
    host.faults.append(Fault("*", "", kind, times=99))
    error = anna.fails()
    assert error.code == "unreachable"
    assert said in str(error)
    if kind != "html":
        assert 99 - host.faults[0].times == 4
    before = host.faults[0].times
    with pytest.raises(HostError) as caught:
        anna.api.send("POST", f"{PROJECT}/fork", {})
    assert caught.value.code == "unreachable"
    assert before - host.faults[0].times == 4


def test_a_short_failure_is_not_noticed(host: GitLabHost, anna: Asker) -> None:
    for kind in ("502", "hang-up", "lost-reply"):
        host.faults.append(Fault("GET", "", kind))
    assert anna.api.get(PROJECT)["path"] == "registry"


def test_a_limit_is_waited_for_and_told(host: GitLabHost, anna: Asker) -> None:
    host.faults.append(Fault("GET", "", "rate-limit", seconds=0))
    assert anna.api.get(PROJECT)["path"] == "registry"
    assert anna.said == [f"{anna.api.host} asks for patience: going on in 0 s"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_limit_is_not_waited_for_too_long(host: GitLabHost, anna: Asker, method: str) -> None:
    host.faults.append(Fault(method, "", "rate-limit", seconds=3600))
    with pytest.raises(HostError) as caught:
        anna.api.get(PROJECT) if method == "GET" else anna.api.send("POST", f"{PROJECT}/fork", {})
    assert (caught.value.code, caught.value.status) == ("rate-limit", 429)
    assert anna.said == []


def test_an_answer_without_end_is_cut(
    host: GitLabHost, anna: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gitlab_api, "_MOST_BYTES", 10)
    assert "no end" in str(anna.fails())


def test_what_a_host_says_is_one_line(host: GitLabHost, anna: Asker) -> None:
    host.project("anna", "ky/registry")
    ky = Asker(host, host.user("ky").token)
    with pytest.raises(HostError) as caught:
        ky.api.send("POST", f"{PROJECT}/fork", {"branches": "main"})
    assert "refuses: base: Project namespace name has already been taken (HTTP 409)" in str(
        caught.value
    )
    assert anna.api._clean("a\n\x1b[31mb\u202ec") == "a [31mb c"


REQUEST = Request("ky/x-1", "1" * 40, "open", "Add x")
REFUSED = HostError("refuses", status=405)
WAITS = ("checking", "unchecked", "preparing", "approvals_syncing", "mergeable", "")
PEOPLE = ("not_approved", "draft_status", "discussions_not_resolved", "commits_status", "new_one")


@pytest.mark.parametrize("status", WAITS)
def test_waiting_helps(status: str) -> None:
    merge = {"state": "opened", "sha": REQUEST.head, "detailed_merge_status": status}
    wait_or_raise(REQUEST, merge, REFUSED, late=False)
    with pytest.raises(HostError, match="refuses"):
        wait_or_raise(REQUEST, merge, REFUSED, late=True)


def test_a_merge_under_way_is_waited_for() -> None:
    merge = {"state": "locked", "sha": REQUEST.head, "detailed_merge_status": "not_open"}
    wait_or_raise(REQUEST, merge, None, late=False)
    with pytest.raises(MpgitError):
        wait_or_raise(REQUEST, merge, None, late=True)


@pytest.mark.parametrize("status", PEOPLE)
def test_people_must_act(status: str) -> None:
    merge = {"state": "opened", "sha": REQUEST.head, "detailed_merge_status": status}
    with pytest.raises(AwaitingError, match=status):
        wait_or_raise(REQUEST, merge, REFUSED, late=False)


@pytest.mark.parametrize(
    ("sha", "status", "code"),
    [("2" * 40, "mergeable", 405), ("1" * 40, "conflict", 422), ("1" * 40, "mergeable", 409)],
)
def test_something_moved(sha: str, status: str, code: int) -> None:
    merge = {"state": "opened", "sha": sha, "detailed_merge_status": status}
    with pytest.raises(RaceError):
        wait_or_raise(REQUEST, merge, HostError("refuses", status=code), late=False)


def test_a_pipeline_of_an_older_head_says_nothing() -> None:
    merge = {
        "state": "opened",
        "sha": REQUEST.head,
        "detailed_merge_status": "ci_must_pass",
        "head_pipeline": {"sha": "0" * 40, "status": "failed"},
    }
    wait_or_raise(REQUEST, merge, REFUSED, late=False)
    with pytest.raises(AwaitingError, match="did not come"):
        wait_or_raise(REQUEST, merge, REFUSED, late=True)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_for_good_is_handed_on(status: int) -> None:
    merge = {"state": "opened", "sha": REQUEST.head, "detailed_merge_status": "mergeable"}
    with pytest.raises(HostError, match="never"):
        wait_or_raise(REQUEST, merge, HostError("never", status=status), late=False)


def test_a_closed_one_is_not_merged() -> None:
    with pytest.raises(InputError) as caught:
        wait_or_raise(REQUEST, {"state": "closed"}, REFUSED, late=False)
    assert caught.value.code == "request-closed"
