"""The HTTP side of the stand-in: reads a request, sends it to the right door, writes the answer.

Every API request and answer passes the contract here, and faults strike here. The log names
method, path and status, never a header, a query or a body: there are tokens in those.

Example::

    server = Server(host)       # a `ThreadingHTTPServer` on a free port of the loopback
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from tests.support.github.answers import Answer, Call, Refusal, refusal
from tests.support.github.contract import PREFIX
from tests.support.github.faults import Fault
from tests.support.github.routes import answer as api_answer
from tests.support.github.state import User

if TYPE_CHECKING:
    from tests.support.github.host import GitHubHost

LIMIT: Final = 5000
CLOSED: Final = 0
"""The log's status where nothing was answered and nothing was done."""


class Server(ThreadingHTTPServer):
    """Serves one host."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: GitHubHost) -> None:
        self.host = host
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base's
        """A client that hung up is no news; anything else is."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            self.host.errors.append(traceback.format_exc())


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: a client that waits for the second loses 40 ms
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Nothing on standard error: `host.log` has it."""

    def do_GET(self) -> None:
        """Any method."""
        body = self._read()
        parts = urlsplit(self.path)
        bare = parts.path.removeprefix(PREFIX)
        fault = self.server.host.strike(self.command, bare)
        if fault and fault.kind == "timeout":
            self.server.host.stopping.wait(fault.seconds)
            self._hang_up(bare, CLOSED)
            return
        if fault and fault.kind == "race":
            fault.race()
        try:
            made = self._answer(parts.path, parts.query, body, fault)
        except Exception:  # noqa: BLE001 - a test must hear of it, not a client alone
            self.server.host.errors.append(traceback.format_exc())
            made = Answer(500, {"message": "Server Error"})
        if fault and fault.kind == "lost-reply":
            self._hang_up(bare, made.status)
            return
        self.server.host.log.append((self.command, bare, made.status))
        self._write(made)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base's names

    # --- doors -----------------------------------------------------------------------------

    def _answer(self, path: str, query: str, body: bytes, fault: Fault | None) -> Answer:
        if path.startswith(f"{PREFIX}/"):
            return self._api(path, dict(parse_qsl(query, keep_blank_values=True)), body, fault)
        if fault and (instead := fault.answer()):
            return instead
        if path.startswith("/login/"):
            fields = dict(parse_qsl(body.decode()))
            if "json" in self.headers.get("Content-Type", ""):
                fields = json.loads(body)
            with self.server.host.lock:
                return self.server.host.login.answer(path, fields, self.headers.get("Accept", ""))
        return self._git(path, query, body)

    def _api(self, path: str, query: dict[str, str], body: bytes, fault: Fault | None) -> Answer:
        host = self.server.host
        try:
            data = json.loads(body) if body else None
        except ValueError:
            host.violations.append(f"{self.command} {path}: the body is not JSON")
            return refusal(400, "Problems parsing JSON").answer
        host.violations += host.contract.request(self.command, path, query, data)
        made = (fault and fault.answer()) or self._handled(path, query, data, fault)
        if isinstance(made.body, bytes):
            return made
        host.violations += host.contract.response(self.command, path, made.status, made.body)
        host.count += 1
        left = max(LIMIT - host.count, 1)
        limits = {
            "X-RateLimit-Limit": str(LIMIT),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Used": str(LIMIT - left),
            "X-RateLimit-Reset": str(int(time.time()) + 3600),
            "X-RateLimit-Resource": "core",
            "X-GitHub-Request-Id": f"{host.count:04X}:STAND-IN",
            "X-OAuth-Scopes": "public_repo",
        }
        made.headers = limits | made.headers
        return made

    def _handled(self, path: str, query: dict[str, str], data: Any, fault: Fault | None) -> Answer:
        host = self.server.host
        if not self.headers.get("User-Agent"):
            return refusal(403, "Request forbidden by administrative rules.").answer
        try:
            user = self._user()
            call = Call(host.world, host.views, path.removeprefix(PREFIX), query, data, user)
            if fault and fault.kind == "late-race":
                call.late.append(fault.race)
            with host.lock:
                made = api_answer(self.command, call)
        except Refusal as refused:
            return refused.answer
        host.tell(call.opened)
        return made

    def _git(self, path: str, query: str, body: bytes) -> Answer:
        host = self.server.host
        with host.lock:
            found = host.git.find(path, query)
        if isinstance(found, Answer):
            return found
        try:
            user = self._user()
        except Refusal:
            asked = {"WWW-Authenticate": 'Basic realm="GitHub"'}
            return Answer(401, b"Invalid username or token.", asked, "text/plain")
        made = host.git.answer(found, self.command, path, query, self.headers, body, user)
        if self.command == "POST" and path.endswith("/git-receive-pack") and made.status == 200:
            with host.lock:
                news = host.world.follow(found, user)
            host.tell(news)
        return made

    def _user(self) -> User | None:
        """Who calls; nobody without a token, and a wrong one is refused."""
        given = self.headers.get("Authorization")
        if given is None:
            return None
        scheme, _, token = given.partition(" ")
        if scheme.lower() == "basic":
            try:
                name, _, secret = base64.b64decode(token, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                name = secret = ""
            token = secret or name
        user = self.server.host.world.by_token(token)
        if user is None or scheme.lower() not in ("basic", "bearer", "token"):
            raise refusal(401, "Bad credentials")
        return user

    # --- the wire --------------------------------------------------------------------------

    def _read(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _write(self, made: Answer) -> None:
        raw = isinstance(made.body, bytes)
        payload = made.body if raw else json.dumps(made.body).encode()
        self.send_response(made.status)
        for name, value in made.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", made.kind)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _hang_up(self, path: str, status: int) -> None:
        self.server.host.log.append((self.command, path, status))
        self.close_connection = True
