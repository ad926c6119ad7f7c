"""The HTTP side of the stand-in: reads a request, sends it to the right door, writes the answer.

Every API request is held against the table here, and faults strike here. The log names method, path
and status, never a header, a query or a body: there are tokens in those.

Example::

    server = Server(host)       # a `ThreadingHTTPServer` on a free port of the loopback
"""

from __future__ import annotations

import base64
import binascii
import json
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from tests.support.gitlab.answers import Answer, Call, Refusal, refusal
from tests.support.gitlab.parameters import faults
from tests.support.gitlab.state import User

if TYPE_CHECKING:
    from tests.support.gitlab.host import GitLabHost

PREFIX: Final = "/api/v4"
CLOSED: Final = 0
"""The log's status where nothing was answered and nothing was done."""


class Server(ThreadingHTTPServer):
    """Serves one host."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: GitLabHost) -> None:
        self.host = host
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Nothing on standard error: `host.log` has it."""

    def do_GET(self) -> None:
        """Any method."""
        host, body = self.server.host, self._read()
        parts = urlsplit(self.path)
        bare = parts.path.removeprefix(PREFIX)
        fault = host.strike(self.command, bare)
        if fault and fault.kind == "hang-up":
            self._hang_up(bare, CLOSED)
            return
        if fault and fault.kind == "race":
            assert fault.callback
            fault.callback()
        try:
            made = (fault and fault.answer()) or self._answer(parts.path, parts.query, body)
        except Exception:  # noqa: BLE001 - a test must hear of it, not a client alone
            host.errors.append(traceback.format_exc())
            made = Answer(500, {"message": "500 Internal Server Error"})
        if fault and fault.kind == "lost-reply":
            self._hang_up(bare, made.status)
            return
        host.log.append((self.command, bare, made.status))
        self._write(made)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the base's names

    # --- doors -----------------------------------------------------------------------------

    def _answer(self, path: str, query: str, body: bytes) -> Answer:
        host = self.server.host
        if path.startswith(f"{PREFIX}/"):
            return self._api(path.removeprefix(PREFIX), query, body)
        given = self.headers.get("Authorization", "")
        user = host.world.by_token(_password(given))
        if given and user is None:
            asked = {"WWW-Authenticate": 'Basic realm="GitLab"'}
            return Answer(401, b"HTTP Basic: Access denied", asked, "text/plain")
        return host.git.answer(self.command, path, query, self.headers, body, user)

    def _api(self, path: str, query: str, body: bytes) -> Answer:
        host = self.server.host
        words = dict(parse_qsl(query, keep_blank_values=True))
        data = json.loads(body) if body else None
        host.violations += faults(self.command, path, words, data)
        try:
            call = Call(self.command, path, words, data or {}, self._user())
            with host.lock:
                return host.routes.answer(call)
        except Refusal as refused:
            return refused.answer

    def _user(self) -> User | None:
        """Who calls; nobody without a token, and a wrong one is refused."""
        private = self.headers.get("PRIVATE-TOKEN")
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        token = private or bearer
        user = self.server.host.world.by_token(token)
        if token and user is None:
            raise refusal(401, "401 Unauthorized")
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
        body = made.body if raw else json.dumps(made.body).encode()
        self.send_response(made.status)
        for name, value in made.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", made.kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self, bare: str, status: int) -> None:
        self.server.host.log.append((self.command, bare, status))
        self.close_connection = True


def _password(given: str) -> str:
    """The password of a Basic header, which is a token."""
    try:
        pair = base64.b64decode(given.removeprefix("Basic "), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return pair.partition(":")[2]
