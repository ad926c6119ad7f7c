"""The device flow against a real server that answers as GitHub does, and worse."""

from __future__ import annotations

import json
import logging
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from medperf_git.errors import HostError, InputError, MpgitError
from medperf_git.forge import device_flow
from medperf_git.forge.device_flow import GRANT, Account, Pending, account, begin, poll
from medperf_git.forge.login_host import LoginHost
from medperf_git.forge.secret import Secret

TOKEN = "gho_hunter2hunter2hunter2"  # noqa: S105 (nobody's)
DEVICE = "3584d83530557fdd1f46af8289938c8ef79f9dc5"
CLIENT = "Iv1.0123456789abcdef"
CODE: dict[str, Any] = {
    "device_code": DEVICE,
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://github.com/login/device",
    "expires_in": 900,
    "interval": 5,
}
PENDING = {"error": "authorization_pending", "error_description": "Not yet."}
GRANTED = {"access_token": TOKEN, "token_type": "bearer", "scope": "public_repo"}
BEGIN, POLL = "/login/device/code", "/login/oauth/access_token"
USER, LAB_USER = "/api/v3/user", "/api/v4/user"


@dataclass
class Answer:
    """What the server says to one request."""

    data: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def payload(self) -> bytes:
        return self.data if isinstance(self.data, bytes) else json.dumps(self.data).encode()


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    form: dict[str, str]


class Server(ThreadingHTTPServer):
    """Says nothing of clients that go away."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class FakeHost:
    """A server whose answers a test writes down: by path, one after another, the last again."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[Asked] = []
        self.meanwhile: Callable[[], object] = lambda: None
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.answer(self)

            def do_POST(self) -> None:
                host.answer(self)

            def log_message(self, *words: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.name = f"127.0.0.1:{self._server.server_port}"
        self.web = f"http://{self.name}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def says(self, path: str, *answers: Any) -> None:
        """What is said from now on."""
        made = (one if isinstance(one, Answer) else Answer(one) for one in answers)
        self.answers[path] = list(made)

    def count(self, path: str) -> int:
        return len([one for one in self.asked if one.path == path])

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0))).decode()
        said = dict(request.headers.items())
        self.asked.append(Asked(request.command, request.path, said, dict(parse_qsl(body))))
        self.meanwhile()
        left = self.answers.get(request.path, [Answer({"message": "Not Found"}, 404)])
        answer = left.pop(0) if len(left) > 1 else left[0]
        if answer.status == 0:  # the line goes dead
            request.close_connection = True
            return
        request.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": len(answer.payload)}.items():
            request.send_header(name, str(value))
        request.end_headers()
        request.wfile.write(answer.payload)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def host() -> Iterator[FakeHost]:
    served = FakeHost()
    served.says(BEGIN, CODE)
    yield served
    served.close()


@dataclass
class Clock:
    """A clock that moves when somebody sleeps, and a little otherwise."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds + 0.01


def wait(pending: Pending, clock: Clock) -> Secret:
    return poll(pending, sleep=clock.sleep, clock=clock)


def refusal(action: Callable[[], object]) -> MpgitError:
    """The error, in which, and behind which, no secret stands."""
    with pytest.raises((InputError, HostError)) as caught:
        action()
    shown = "".join(traceback.format_exception(caught.value, chain=True))
    for secret in (TOKEN, DEVICE):
        assert secret not in shown + str(caught.value.as_dict())
    return caught.value


# --- a code ---------------------------------------------------------------------------------


def test_a_code_is_asked_for(host: FakeHost) -> None:
    pending = begin(host.web, CLIENT, ["public_repo", "read:org"])
    assert (pending.user_code, pending.interval, pending.expires_in) == ("WDJB-MJHT", 5, 900)
    assert pending.verification_uri == "https://github.com/login/device"
    (asked,) = host.asked
    assert (asked.method, asked.path) == ("POST", BEGIN)
    assert asked.form == {"client_id": CLIENT, "scope": "public_repo read:org"}
    assert asked.headers["Accept"] == "application/json"
    assert DEVICE not in repr(pending)


BAD_CODES: dict[str, tuple[Answer, str]] = {
    "unknown app": (Answer({"error": "Not Found"}, 404), "bad-client-id"),
    "no device flow": (Answer({"error": "device_flow_disabled"}, 400), "device-flow-disabled"),
    "wrong app": (Answer({"error": "incorrect_client_credentials"}), "bad-client-id"),
    "not JSON": (Answer(b"<html>"), "bad-answer"),
    "a list": (Answer([CODE]), "bad-answer"),
    "not UTF-8": (Answer(b'{"device_code": "\xff"}'), "bad-answer"),
    "no code": (Answer({**CODE, "user_code": ""}), "bad-answer"),
    "control characters": (Answer({**CODE, "user_code": "\x1b[2J"}), "bad-answer"),
    "no page": (Answer({**CODE, "verification_uri": "javascript:alert(1)"}), "bad-answer"),
    "no device code": (Answer({**CODE, "device_code": 7}), "bad-answer"),
    "elsewhere": (Answer(CODE, 302, {"Location": "/login/again"}), "bad-answer"),
    "busy": (Answer(b"", 503), "unreachable"),
    "dead": (Answer(b"", 0), "unreachable"),
    "endless": (Answer(b" " * (2 << 20)), "unreachable"),
}


@pytest.mark.parametrize("name", BAD_CODES)
def test_no_code_is_given(host: FakeHost, name: str) -> None:
    answer, code = BAD_CODES[name]
    host.says(BEGIN, answer)
    error = refusal(lambda: begin(host.web, CLIENT, ["repo"]))
    assert error.code == code
    assert error.advice
    assert [one.path for one in host.asked] == [BEGIN]


@pytest.mark.parametrize(
    ("said", "interval", "expires"),
    [
        ({}, 5.0, 900.0),
        ({"interval": 0, "expires_in": -1}, 1.0, 1.0),
        ({"interval": 1e9, "expires_in": 1e9}, 60.0, 3600.0),
        ({"interval": "7", "expires_in": True}, 5.0, 900.0),
    ],
)
def test_times_are_held_within_bounds(
    host: FakeHost, said: dict[str, Any], interval: float, expires: float
) -> None:
    rest = {k: v for k, v in CODE.items() if k not in ("interval", "expires_in")}
    host.says(BEGIN, rest | said)
    pending = begin(host.web, CLIENT, ["repo"])
    assert (pending.interval, pending.expires_in) == (interval, expires)


# --- waiting --------------------------------------------------------------------------------


def test_a_token_is_waited_for(host: FakeHost, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # GitHub says it with status 200, the RFC with 400.
    host.says(POLL, PENDING, Answer(PENDING, 400), GRANTED)
    clock = Clock()
    assert wait(begin(host.web, CLIENT, ["repo"]), clock) == Secret(TOKEN)
    assert clock.slept == [5, 5, 5]
    form = {"client_id": CLIENT, "device_code": DEVICE, "grant_type": GRANT}
    assert [one.form for one in host.asked[1:]] == [form] * 3
    assert caplog.text
    for secret in (TOKEN, DEVICE):
        assert secret not in caplog.text


def test_the_host_may_slow_us_down(host: FakeHost) -> None:
    slow = {"error": "slow_down"}
    host.says(POLL, slow, PENDING, slow | {"interval": 30}, slow | {"interval": 1}, GRANTED)
    clock = Clock()
    wait(begin(host.web, CLIENT, ["repo"]), clock)
    assert clock.slept == [5, 10, 10, 30, 35]


def test_a_host_out_of_reach_is_asked_less_often(host: FakeHost) -> None:
    host.says(POLL, PENDING, Answer(b"", 502), Answer(b"", 0), PENDING, GRANTED)
    clock = Clock()
    assert wait(begin(host.web, CLIENT, ["repo"]), clock) == Secret(TOKEN)
    assert clock.slept == [5, 5, 10, 20, 20]


REFUSED = {
    "expired_token": "device-expired",
    "incorrect_device_code": "device-expired",
    "access_denied": "device-denied",
    "incorrect_client_credentials": "bad-client-id",
    "device_flow_disabled": "device-flow-disabled",
}


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("word", REFUSED)
def test_the_host_refuses(host: FakeHost, word: str, status: int) -> None:
    host.says(POLL, PENDING, Answer({"error": word, "error_description": TOKEN}, status))
    error = refusal(lambda: wait(begin(host.web, CLIENT, ["repo"]), Clock()))
    assert isinstance(error, InputError)
    assert (error.code, error.place) == (REFUSED[word], host.web)
    assert error.advice
    assert host.count(POLL) == 2


STRANGE: dict[str, tuple[Any, str]] = {
    "another word": ({"error": "unsupported_grant_type"}, "unsupported_grant_type"),
    "a text": ({"error": f"\x1b[2J{TOKEN}"}, "neither"),
    "nothing": ({}, "neither"),
    "no token": ({"access_token": ""}, "access_token"),
    "no text": ({"access_token": [TOKEN]}, "access_token"),
    "a header's end": ({"access_token": f"{TOKEN}\r\nX-Evil: 1"}, "access_token"),
    "two words": ({"access_token": f"{TOKEN} {TOKEN}"}, "no token"),
    "not JSON": (b"<html>", "neither"),
    "a token, but no": (Answer(GRANTED, 404), "neither"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_an_answer_that_makes_no_sense(host: FakeHost, name: str) -> None:
    answer, words = STRANGE[name]
    host.says(POLL, answer)
    error = refusal(lambda: wait(begin(host.web, CLIENT, ["repo"]), Clock()))
    assert words in error.message
    assert error.code in ("bad-answer", "bad-token")
    assert error.message.isprintable()


def test_nobody_enters_the_code(host: FakeHost) -> None:
    host.says(BEGIN, {**CODE, "expires_in": 31})
    host.says(POLL, PENDING)
    clock = Clock()
    error = refusal(lambda: wait(begin(host.web, CLIENT, ["repo"]), clock))
    assert error.code == "device-expired"
    assert error.__cause__ is None
    assert sum(clock.slept) <= 31
    assert host.count(POLL) == 6


def test_the_host_stays_away(host: FakeHost) -> None:
    host.says(POLL, Answer(b"", 503))
    error = refusal(lambda: wait(begin(host.web, CLIENT, ["repo"]), Clock()))
    assert error.code == "device-expired"
    assert isinstance(error.__cause__, HostError)
    assert host.count(POLL) < 20


# --- whose it is ----------------------------------------------------------------------------


def lab(host: FakeHost) -> LoginHost:
    return LoginHost.read(host.web)


def test_whose_a_token_is(host: FakeHost, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    host.says(USER, {"login": "anna-weber"})
    assert account(lab(host), Secret(TOKEN)) == Account("anna-weber")
    assert host.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"
    host.says(USER, Answer({"login": "anna"}, headers={"X-OAuth-Scopes": "repo, read:org"}))
    assert account(lab(host), Secret(TOKEN)).scopes == ("repo", "read:org")
    host.says(USER, Answer({"login": "bot[bot]"}, headers={"X-OAuth-Scopes": ""}))
    assert account(lab(host), Secret(TOKEN)) == Account("bot[bot]", ())
    assert TOKEN not in caplog.text


def test_whose_a_gitlab_token_is(host: FakeHost) -> None:
    host.says(LAB_USER, {"username": "anna"})
    assert account(LoginHost.read(host.web, "gitlab"), Secret(TOKEN)) == Account("anna")


NOBODY: dict[str, tuple[Answer, str]] = {
    "unknown": (Answer({"message": "Bad credentials"}, 401), "bad-token"),
    "a job's": (Answer({"message": TOKEN}, 403), "token-refused"),
    "no such host": (Answer({"message": "Not Found"}, 404), "bad-answer"),
    "elsewhere": (Answer({}, 307, {"Location": "http://127.0.0.2:9/user"}), "bad-answer"),
    "no name": (Answer({"login": None}), "bad-answer"),
    "a name for a terminal": (Answer({"login": "a\x1b[2J"}), "bad-answer"),
    "a name that is none": (Answer({"login": "a b"}), "bad-answer"),
    "busy": (Answer({}, 429), "unreachable"),
}


@pytest.mark.parametrize("name", NOBODY)
def test_nobody_s_token(host: FakeHost, name: str) -> None:
    answer, code = NOBODY[name]
    host.says(USER, answer)
    error = refusal(lambda: account(lab(host), Secret(TOKEN)))
    assert error.code == code
    assert error.advice
    assert len(host.asked) == 1


def test_a_redirect_is_not_followed(host: FakeHost) -> None:
    other = FakeHost()
    host.says(USER, Answer({}, 302, {"Location": f"{other.web}{USER}"}))
    refusal(lambda: account(lab(host), Secret(TOKEN)))
    other.close()
    assert other.asked == []


def test_netrc_and_proxies_stay_out(
    host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither somebody else's password goes along, nor a loopback request over a proxy."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ky password hunter3\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    proxy = FakeHost()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.web)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    host.says(USER, {"login": "anna"})
    begin(host.web, CLIENT, ["repo"])
    account(lab(host), Secret(TOKEN))
    proxy.close()
    assert [one.headers.get("Authorization") for one in host.asked] == [None, f"Bearer {TOKEN}"]
    assert proxy.asked == []


def test_plain_http_goes_nowhere_else() -> None:
    error = refusal(lambda: begin("http://github.com", CLIENT, ["repo"]))
    assert error.code == "plain-http"


def test_nobody_listens(host: FakeHost) -> None:
    host.close()
    for action in (
        lambda: begin(host.web, CLIENT, ["repo"]),
        lambda: account(lab(host), Secret(TOKEN)),
    ):
        assert refusal(action).code == "unreachable"


def test_a_host_that_never_answers_is_left(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    host.meanwhile = lambda: stop.wait(20)
    monkeypatch.setattr(device_flow, "_READ_SECONDS", 0.2)
    assert refusal(lambda: account(lab(host), Secret(TOKEN))).code == "unreachable"
    stop.set()


def test_a_host_without_a_good_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    certificate = own_certificate(tmp_path)
    served = FakeHost(certificate)
    served.says(USER, {"login": "anna"})
    there = LoginHost.read(f"https://{served.name}")
    error = refusal(lambda: account(there, Secret(TOKEN)))
    assert error.code == "unreachable"
    assert "REQUESTS_CA_BUNDLE" in str(error.advice)
    assert served.asked == []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert account(there, Secret(TOKEN)) == Account("anna")
    served.close()


def own_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody vouches for, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "lab.pem"
    pem = serialization.Encoding.PEM
    text = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + made.public_bytes(pem)
    path.write_bytes(text)
    return path
