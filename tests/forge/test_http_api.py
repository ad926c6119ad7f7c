"""Patience and refusals of the HTTP client, against a small server that answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from medperf_git.errors import HostError, InputError
from medperf_git.forge import http_api
from medperf_git.forge.http_api import HttpApi
from medperf_git.forge.secret import Secret

TOKEN = "ghp_secretsecretsecretsecret"  # noqa: S105 (of nobody)
HANG_UP = -1
SLEEP = -2


@dataclass
class Lab:
    """A server: what it answers next, and what it was asked."""

    port: int = 0
    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def api(self, **more: Any) -> HttpApi:
        return HttpApi(self.url, Secret(TOKEN), **more)

    def answer(self, status: int, body: Any = None, **headers: str) -> None:
        self.answers.append((status, {k.replace("_", "-"): v for k, v in headers.items()}, body))


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(http_api, "_PAUSE_SECONDS", 0.01)
    made = Lab()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            made.asked.append((self.command, self.path, dict(self.headers), body))
            status, headers, answer = made.answers.pop(0)
            if status == SLEEP:
                time.sleep(0.6)
            if status in (HANG_UP, SLEEP):
                self.close_connection = True
                self.connection.close()
                return
            payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PUT = do_PATCH = _serve  # noqa: N815 (http.server's names)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield made
        server.shutdown()
        thread.join()
    assert made.answers == []


def test_pages_follow_one_another(lab: Lab) -> None:
    link = f'<{lab.url}/things?page=2>; rel="next"'
    lab.answer(200, [1, 2], Link=link)
    lab.answer(200, [3])
    assert list(lab.api().pages("/things", per_page=2)) == [1, 2, 3]
    assert [path for _, path, _, _ in lab.asked] == ["/things?per_page=2", "/things?page=2"]


@pytest.mark.parametrize("status", [HANG_UP, 500, 502, 503])
def test_reading_is_tried_again(lab: Lab, status: int) -> None:
    lab.answer(status, {})
    lab.answer(200, {"ok": 1})
    assert lab.api().get("/x") == {"ok": 1}


@pytest.mark.parametrize("status", [HANG_UP, 502])
def test_a_lost_answer_is_looked_up_before_it_is_done_again(lab: Lab, status: int) -> None:
    lab.answer(status, {})
    assert lab.api().send("POST", "/x", {}, done=lambda: {"found": 1}) == {"found": 1}
    lab.answer(status, {})
    lab.answer(201, {"made": 1})
    assert lab.api().send("POST", "/x", {"a": 1}, done=lambda: None) == {"made": 1}
    assert len(lab.asked) == 3


def test_what_never_answers_is_out_of_reach(lab: Lab) -> None:
    for _ in range(4):
        lab.answer(503, {})
    with pytest.raises(HostError) as caught:
        lab.api().get("/x")
    assert caught.value.code == "unreachable"
    with pytest.raises(HostError) as caught:
        HttpApi("http://127.0.0.1:9", None, tries=1).get("/x")
    assert caught.value.code == "unreachable"


def test_what_hangs_is_given_up(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "_TIMEOUT", (1, 0.2))
    lab.answer(SLEEP, {})
    lab.answer(200, {"ok": 1})
    assert lab.api().get("/x") == {"ok": 1}
    lab.answer(SLEEP, {})
    assert lab.api().send("POST", "/x", {}, done=lambda: {"found": 1}) == {"found": 1}


LIMITS = [
    (403, {"Retry_After": "0"}),
    (429, {"Retry_After": "0"}),
    (403, {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "1"}),
]


@pytest.mark.parametrize(("status", "headers"), LIMITS)
def test_a_limit_is_waited_for(lab: Lab, status: int, headers: dict[str, str]) -> None:
    said: list[str] = []
    lab.answer(status, {"message": "too fast"}, **headers)
    lab.answer(200, {"ok": 1})
    assert lab.api(tell=said.append).get("/x") == {"ok": 1}
    assert "patience" in said[0]


def test_a_long_limit_is_said(lab: Lab) -> None:
    reset = str(int(time.time()) + 3600)
    lab.answer(403, {"message": "x"}, X_RateLimit_Remaining="0", X_RateLimit_Reset=reset)
    with pytest.raises(HostError, match="no more questions until") as caught:
        lab.api().get("/x")
    assert caught.value.code == "rate-limit"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_limit_without_end_is_said(lab: Lab, method: str) -> None:
    for _ in range(3):
        lab.answer(429, {"message": "too fast"}, Retry_After="0")
    api = lab.api(tries=3)
    asked: dict[str, Callable[[], object]] = {
        "GET": lambda: api.get("/x"),
        "POST": lambda: api.send("POST", "/x", {}),
    }
    with pytest.raises(HostError) as caught:
        asked[method]()
    assert caught.value.code == "rate-limit"


@pytest.mark.parametrize("reset", ["9" * 30, "-1", "\u00b2", "soon"])
def test_a_time_that_is_none_is_no_crash(lab: Lab, reset: str) -> None:
    lab.answer(403, {"message": "x"}, X_RateLimit_Remaining="0", X_RateLimit_Reset=reset)
    with pytest.raises(HostError):
        lab.api(most_wait=0, tries=1).get("/x")


def test_a_limit_and_then_no_answer_ends(lab: Lab) -> None:
    lab.answer(429, {}, Retry_After="0")
    for _ in range(2):
        lab.answer(503, {})
    with pytest.raises(HostError) as caught:
        lab.api(tries=3).get("/x")
    assert caught.value.code == "unreachable"


REFUSALS = [
    (401, "login", "mpgit login 127.0.0.1"),
    (403, "forbidden", "who keeps"),
    (404, "not-found", "check its name"),
    (422, "refused", None),
    (405, "refused", None),
]


@pytest.mark.parametrize(("status", "code", "advice"), REFUSALS)
def test_refusals_say_why(lab: Lab, status: int, code: str, advice: str | None) -> None:
    body = {"message": "Validation\x1b[2J failed", "errors": [{"message": "no commits"}, "plain"]}
    lab.answer(status, body)
    with pytest.raises(HostError) as caught:
        lab.api().get("/x")
    error = caught.value
    assert (error.status, error.code) == (status, code)
    assert "no commits; plain" in error.message
    assert "\x1b" not in error.message
    assert advice is None or advice in str(error.advice)
    assert TOKEN not in f"{error.as_dict()} {error.__cause__!r} {error!r}"


def test_a_redirect_within_the_host_keeps_method_and_token(lab: Lab) -> None:
    lab.answer(307, {}, Location=f"{lab.url}/there")
    lab.answer(201, {"ok": 1})
    assert lab.api().send("POST", "/here", {"a": 1}) == {"ok": 1}
    method, path, headers, body = lab.asked[1]
    assert (method, path, json.loads(body)) == ("POST", "/there", {"a": 1})
    assert headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:9/x", "https://example.org/x", "//example.org/x"]
)
def test_nothing_is_sent_elsewhere(lab: Lab, target: str) -> None:
    lab.answer(301, {}, Location=target)
    with pytest.raises(HostError) as caught:
        lab.api().get("/x")
    assert caught.value.code == "led-away"
    link = f'<{target}>; rel="next"'
    lab.answer(200, [1], Link=link)
    with pytest.raises(HostError):
        list(lab.api().pages("/x"))
    assert len(lab.asked) == 2


def test_no_token_goes_over_an_open_line() -> None:
    with pytest.raises(InputError) as caught:
        HttpApi("http://github.example.org/api/v3", Secret(TOKEN))
    assert caught.value.code == "not-encrypted"
    HttpApi("http://github.example.org/api/v3", None)


def test_an_answer_without_end_or_sense(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "_MOST_BYTES", 1000)
    lab.answer(200, b"x" * 2000)
    with pytest.raises(HostError, match="no end"):
        lab.api().get("/x")
    lab.answer(200, b"<html>")
    with pytest.raises(HostError, match="JSON"):
        lab.api().get("/x")


def test_a_password_in_netrc_stays_there(
    lab: Lab, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    lab.answer(200, {})
    HttpApi(lab.url, None).get("/x")
    assert "Authorization" not in lab.asked[0][2]
