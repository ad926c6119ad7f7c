"""A host's HTTP interface: JSON in and out, patience where it helps, else clear errors.

Besides ``device_flow`` the only importer of `requests`. A token goes to one host, over TLS (or to
this machine itself), and is in no error. What could have been done though its answer was
lost is never done twice: the caller says how to see that it was. Knows no host's paths.

Example::

    api = HttpApi("https://api.github.com", token)
    api.get("/repos/clinics/preterm")["permissions"]
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from medperf_git.errors import HostError
from medperf_git.forge.login_host import one_line, refuse_open_line
from medperf_git.forge.secret import Secret
from medperf_git.version import __version__

_TIMEOUT: Final = (10, 30)
"""Seconds to connect, and between two pieces of an answer."""
_TRIES: Final = 4
_PAUSE_SECONDS: Final = 0.5
_MOST_WAIT_SECONDS: Final = 120.0
_MOST_BYTES: Final = 32 * 1024 * 1024
_MOST_REDIRECTS: Final = 3
_MOST_DIGITS: Final = 12
_BUSY: Final = frozenset({500, 502, 503, 504})
_LIMITED: Final = frozenset({403, 429})
_REDIRECTS: Final = frozenset({301, 302, 307, 308})


class _LostError(Exception):
    """No answer came: nobody knows what was done."""


class HttpApi:
    """One host's interface."""

    def __init__(
        self,
        base: str,
        token: Secret | None,
        *,
        scheme: str = "Bearer",
        tell: Callable[[str], None] = lambda _line: None,
        most_wait: float = _MOST_WAIT_SECONDS,
        tries: int = _TRIES,
    ) -> None:
        """Sends nothing yet.

        Args:
            base: its address, without a slash at its end.
            token: who we are; None to be nobody.
            scheme: what stands before the token.
            tell: called where something takes long.
            most_wait: seconds that a limit may make us wait.
            tries: how often something is tried in all.

        Raises:
            InputError: `not-encrypted`: the token would go over an open line.
        """
        self._base = base
        self._token = token
        self._tell = tell
        self._most_wait = most_wait
        self._tries = tries
        self.host = urlsplit(base).netloc
        if token is not None:
            refuse_open_line(base)
        self._session = requests.Session()
        # Without it, `requests` looks for a password in ~/.netrc.
        self._session.auth = _sign(token, scheme)
        self._session.headers.update(
            {"Accept": "application/json", "User-Agent": f"mpgit/{__version__}"}
        )

    def header(self, name: str, value: str) -> None:
        """Sends a header with every request from now on."""
        self._session.headers[name] = value

    def get(self, path: str, **query: str | int) -> Any:
        """What stands at a path.

        Raises:
            HostError: see `send`.
        """
        return self._json(self._patiently("GET", path, query, None))

    def pages(self, path: str, **query: str | int) -> Iterator[Any]:
        """The entries of a list, page by page as they are asked for.

        Raises:
            HostError: see `send`.
        """
        answer = self._patiently("GET", path, query, None)
        while True:
            yield from self._json(answer)
            following = answer.links.get("next", {}).get("url")
            if following is None:
                return
            answer = self._patiently("GET", self._own(following, answer.url), {}, None)

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        done: Callable[[], Any] = lambda: None,
    ) -> Any:
        """Changes something.

        Args:
            method: `POST`, `PUT`, `PATCH` or `DELETE`.
            path: where.
            body: what.
            done: called where no answer came: what the answer would have been, or None where
                nothing was done, so that it is tried again.

        Raises:
            HostError: `login`, `forbidden`, `not-found`, `rate-limit`, `unreachable`, or
                `refused` with what the host says; its `status` tells them apart.
        """
        for left in range(self._tries - 1, -1, -1):
            try:
                return self._json(self._patiently(method, path, {}, body))
            except _LostError as lost:
                found = done()
                if found is not None:
                    return found
                if not left:
                    raise self._unreachable(str(lost)) from lost
                self._pause(left)
        raise AssertionError

    def _patiently(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Mapping[str, Any] | None,
    ) -> requests.Response:
        """An answer that is none of haste: limits are waited for, and reading is tried again."""
        for left in range(self._tries - 1, -1, -1):
            try:
                answer = self._answer(method, path, query, body)
            except _LostError as lost:
                if method != "GET":
                    raise
                if not left:
                    raise self._unreachable(str(lost)) from lost
                self._pause(left)
                continue
            wait = self._wait(answer)
            if wait is None:
                return answer
            if not left:
                raise self._limited(answer, wait)
            self._tell(f"{self.host} asks for patience: going on in {wait:.0f} s")
            time.sleep(wait)
        raise AssertionError

    def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Mapping[str, Any] | None,
    ) -> requests.Response:
        """What the host makes of it, if that is more than that it is busy.

        Raises:
            _LostError: nobody knows what was done.
        """
        try:
            answer = self._once(method, path, query, body)
        except requests.RequestException as error:
            raise _LostError(type(error).__name__) from error
        if answer.status_code in _BUSY:
            raise _LostError(f"HTTP {answer.status_code}")
        return answer

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Mapping[str, Any] | None,
    ) -> requests.Response:
        url = path if path.startswith(self._base) else self._base + path
        for _ in range(_MOST_REDIRECTS):
            answer = self._session.request(
                method,
                url,
                params=dict(query),
                json=body,
                timeout=_TIMEOUT,
                # Ours below: `requests` would make a GET of a POST, and follow to anywhere.
                allow_redirects=False,
                stream=True,
            )
            answer._content = _content(answer)  # noqa: SLF001 (the one way to bound a body)
            if answer.status_code not in _REDIRECTS:
                return answer
            url = self._own(answer.headers.get("Location", ""), url)
            query = {}
        raise HostError("it leads in circles", place=url)

    def _own(self, target: str, origin: str) -> str:
        """An address that the host leads to, if it is its own."""
        url = requests.compat.urljoin(origin, target)
        if urlsplit(url)[:2] != urlsplit(self._base)[:2]:
            raise HostError(
                f"it leads away to {one_line(urlsplit(url).netloc)}, where no token is sent",
                code="led-away",
                place=self._base,
                advice="add the registry anew at the address where it is now",
            )
        return url

    def _wait(self, answer: requests.Response) -> float | None:
        """Seconds until it answers again, where a limit is what refused; None for an answer.

        Raises:
            HostError: refused; `rate-limit`: for longer than anybody waits.
        """
        if answer.status_code < 300:  # noqa: PLR2004 (HTTP's own numbers)
            return None
        if answer.status_code not in _LIMITED:
            raise self._refusal(answer)
        after = _number(answer.headers.get("Retry-After"))
        reset = _number(answer.headers.get("X-RateLimit-Reset"))
        if after is not None:
            wait = float(after)
        elif answer.headers.get("X-RateLimit-Remaining") == "0":
            wait = self._most_wait if reset is None else max(0.0, reset - time.time())
        elif "rate limit" in _said(answer).lower() or answer.status_code == 429:  # noqa: PLR2004
            wait = 60.0
        else:
            raise self._refusal(answer)
        if wait > self._most_wait:
            raise self._limited(answer, wait)
        return wait + 0.2

    def _limited(self, answer: requests.Response, wait: float) -> HostError:
        at = time.strftime("%H:%M", time.localtime(time.time() + wait))
        return HostError(
            f"{self.host} answers no more questions until {at}",
            code="rate-limit",
            status=answer.status_code,
            place=self._base,
            advice="nothing is lost; try again then"
            + ("" if self._token else f", or log in: mpgit login {self.host}"),
        )

    def _pause(self, left: int) -> None:
        time.sleep(_PAUSE_SECONDS * 2.0 ** (self._tries - 1 - left))

    def _json(self, answer: requests.Response) -> Any:
        if not answer.content:
            return {}
        try:
            return json.loads(answer.content)
        except ValueError as error:
            raise self._unreachable("it did not answer in JSON") from error

    def _unreachable(self, reason: str) -> HostError:
        return HostError(
            f"{self.host} does not answer: {reason}",
            code="unreachable",
            place=self._base,
            advice="nothing is lost; check the network and try again",
        )

    def _refusal(self, answer: requests.Response) -> HostError:
        status, said = answer.status_code, _said(answer)
        known = f"mpgit login {self.host}"
        code, advice = {
            401: ("login", f"log in anew: {known}"),
            403: ("forbidden", "ask who keeps the repository" if self._token else known),
            404: (
                "not-found",
                "check its name, and that you may read it"
                if self._token
                else f"check its name; one that is private needs: {known}",
            ),
        }.get(status, ("refused", None))
        return HostError(
            f"{self.host} refuses: {said or answer.reason} (HTTP {status})",
            status=status,
            code=code,
            place=one_line(urlsplit(answer.url).path),
            advice=advice,
        )


def _sign(
    token: Secret | None, scheme: str
) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if token is not None:
            request.headers["Authorization"] = f"{scheme} {token.reveal()}"
        return request

    return sign


def _content(answer: requests.Response) -> bytes:
    """The body, no larger than anything that a host has to say."""
    content = b""
    for piece in answer.iter_content(64 * 1024):
        content += piece
        if len(content) > _MOST_BYTES:
            raise HostError("its answer has no end", place=answer.url)
    return content


def _number(text: str | None) -> int | None:
    """What a header says, where that is a number that a clock can hold."""
    digits = text is not None and text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS
    return int(text) if text is not None and digits else None


def _said(answer: requests.Response) -> str:
    """What a refusal says, in one line of plain text."""
    try:
        data = json.loads(answer.content)
    except ValueError:
        return ""
    if not isinstance(data, dict):
        return ""
    parts = [str(data.get("message", data.get("error", "")))]
    errors = data.get("errors")
    parts += [
        str(each.get("message", each)) if isinstance(each, dict) else str(each)
        for each in (errors if isinstance(errors, list) else ())
    ]
    return one_line("; ".join(part for part in parts if part))
