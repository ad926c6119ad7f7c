"""Logging in to a host: OAuth's device flow, and whose a token is.

GitHub's device flow (RFC 8628): the host gives a short code, the person enters it in a browser
on any machine, and meanwhile the host is asked, no more often than it allows, until it hands out
a token. Every call ends in time, follows no redirect, and takes nothing from ``~/.netrc``; no
error's text holds a token. Keeps nothing (``tokens`` does) and prints nothing.

Example::

    pending = begin("https://github.com", client_id, ["public_repo"])
    print(pending.user_code, pending.verification_uri)
    account(host, poll(pending)).login                          # 'anna'
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import requests

from medperf_git.errors import HostError, InputError
from medperf_git.forge.login_host import LoginHost
from medperf_git.forge.secret import Secret

GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_CONNECT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 30.0
_CALL_SECONDS: Final = 60.0
_MOST_BYTES: Final = 1 << 20
_SLOW_DOWN_SECONDS: Final = 5.0
_MOST_INTERVAL: Final = 60.0
_OK: Final = 200
_NOT_KNOWN: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
_LOGIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}(?:\[bot\])?")
_SCOPE: Final = re.compile(r"[a-z0-9_:.-]{1,100}")
_WORD: Final = re.compile(r"[A-Za-z0-9_ .-]{1,100}")

_TOKEN_INSTEAD: Final = "or use a token: mpgit login --with-token"  # noqa: S105 (advice)
_REFUSALS: Final[dict[str, tuple[str, str, str]]] = {
    "expired_token": (
        "device-expired",
        "the code was not entered in time",
        "mpgit login gives a new one",
    ),
    "incorrect_device_code": (
        "device-expired",
        "the host does not know the code any more",
        "mpgit login gives a new one",
    ),
    "access_denied": (
        "device-denied",
        "the login was refused in the browser",
        "mpgit login again, and allow it; " + _TOKEN_INSTEAD,
    ),
    "incorrect_client_credentials": (
        "bad-client-id",
        "the host knows no OAuth app with this client id",
        "see the app's settings at the host for its client id; " + _TOKEN_INSTEAD,
    ),
    "device_flow_disabled": (
        "device-flow-disabled",
        "this OAuth app does not allow the device flow",
        "enable the device flow in the app's settings at the host; " + _TOKEN_INSTEAD,
    ),
}
"""What the host may answer instead of a token: our code, the message, the advice."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A login that waits for a person with a browser.

    Attributes:
        user_code: what the person enters.
        verification_uri: where.
        expires_in: for how many seconds the code is good.
        interval: how many seconds to wait between two questions, at least.
        device_code: what the token is asked for with.
        web: the host's address.
        client_id: the OAuth app's.
    """

    user_code: str
    verification_uri: str
    expires_in: float
    interval: float
    device_code: Secret
    web: str
    client_id: str


@dataclass(frozen=True, slots=True)
class Account:
    """Whose a token is.

    Attributes:
        login: the account's name at the host.
        scopes: what a classic token is good for; None for a token that does not say.
    """

    login: str
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    data: Mapping[str, Any]
    headers: Mapping[str, str]
    place: str


def begin(web: str, client_id: str, scopes: Sequence[str]) -> Pending:
    """Ask a host for a code that a person can enter.

    Args:
        web: the host's address, such as `https://github.com`.
        client_id: an OAuth app's, which is no secret.
        scopes: what the token shall be good for.

    Raises:
        InputError: `bad-client-id`, `device-flow-disabled`: the host refuses.
        HostError: `unreachable`, `bad-answer`.
    """
    form = {"client_id": client_id, "scope": " ".join(scopes)}
    answer = _call("POST", f"{web}/login/device/code", form=form)
    if "error" in answer.data and answer.data["error"] in _REFUSALS:
        raise _refusal(str(answer.data["error"]), web)
    if answer.status in (_NOT_KNOWN, _NOT_FOUND):
        # GitHub says no more where it does not know the app; an old server has no device flow.
        raise _refusal("incorrect_client_credentials", web)
    if answer.status != _OK:
        _unexpected(answer, "no code")
    address = _text(answer, "verification_uri")
    if not address.startswith(("https://", web + "/")):
        _unexpected(answer, "the page to visit is none")
    return Pending(
        user_code=_text(answer, "user_code"),
        verification_uri=address,
        expires_in=_seconds(answer, "expires_in", default=900.0, most=3600.0),
        interval=_seconds(answer, "interval", default=5.0, most=_MOST_INTERVAL),
        device_code=Secret(_text(answer, "device_code")),
        web=web,
        client_id=client_id,
    )


def poll(
    pending: Pending,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Secret:
    """Wait until the person has entered the code, and take the token.

    Asks less often where the host says so, and where it is out of reach for a while.

    Raises:
        InputError: `device-expired`, `device-denied`, `bad-client-id`, `device-flow-disabled`.
        HostError: `bad-answer`.
    """
    url = f"{pending.web}/login/oauth/access_token"
    form = {
        "client_id": pending.client_id,
        "device_code": pending.device_code.reveal(),
        "grant_type": GRANT,
    }
    end, interval = clock() + pending.expires_in, pending.interval
    trouble: HostError | None = None
    while clock() + interval <= end:
        sleep(interval)
        try:
            answer = _call("POST", url, form=form)
        except HostError as error:
            if error.code != "unreachable":
                raise
            interval, trouble = min(2 * interval, _MOST_INTERVAL), error
            continue
        trouble = None
        if answer.status == _OK and "access_token" in answer.data:
            return Secret(_text(answer, "access_token"))
        match answer.data.get("error"):
            case "authorization_pending":
                pass
            case "slow_down":
                asked = _seconds(answer, "interval", default=interval, most=_MOST_INTERVAL)
                interval = max(interval + _SLOW_DOWN_SECONDS, asked)
            case str(word) if word in _REFUSALS:
                raise _refusal(word, pending.web)
            case _:
                _unexpected(answer, "neither a token nor a reason")
    raise _refusal("expired_token", pending.web) from trouble


def account(host: LoginHost, secret: Secret) -> Account:
    """Ask a host whose a token is.

    Raises:
        InputError: `bad-token`, `token-refused`: the host does not accept it.
        HostError: `unreachable`, `bad-answer`.
    """
    answer = _call("GET", f"{host.api}/user", secret=secret)
    if answer.status == _NOT_KNOWN:
        raise InputError(
            f"{host.name} does not accept this token",
            code="bad-token",
            place=answer.place,
            advice="it is mistyped, expired, revoked, or another host's: make a new one",
        )
    if answer.status == _FORBIDDEN:
        raise InputError(
            f"{host.name} knows this token and refuses it",
            code="token-refused",
            place=answer.place,
            advice="a job's own token is no login: put it into $GH_TOKEN; or the organisation "
            "wants single sign-on, or another network address",
        )
    if answer.status != _OK:
        _unexpected(answer, "no account")
    login = _text(answer, "username" if host.kind == "gitlab" else "login")
    if not _LOGIN.fullmatch(login):
        _unexpected(answer, "the account's name is none")
    scopes = answer.headers.get("X-OAuth-Scopes")
    if scopes is None:
        return Account(login)
    words = (word.strip() for word in scopes.split(","))
    return Account(login, tuple(word for word in words if _SCOPE.fullmatch(word)))


# --- the calls -----------------------------------------------------------------------------


class _Bearer(requests.auth.AuthBase):
    """Puts the token on; without it, nothing: where it stands, ``~/.netrc`` is not asked."""

    def __init__(self, secret: Secret | None) -> None:
        self._secret = secret

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._secret is not None:
            request.headers["Authorization"] = f"Bearer {self._secret.reveal()}"
        return request


def _call(
    method: str, url: str, *, form: Mapping[str, str] | None = None, secret: Secret | None = None
) -> _Answer:
    """One request, its answer as plain data.

    Raises:
        InputError: `plain-http`: over an open line.
        HostError: `unreachable`: no connection, too slow, or too busy.
    """
    parts = urlsplit(url)
    LoginHost.read(f"{parts.scheme}://{parts.netloc}")
    try:
        with requests.request(
            method,
            url,
            data=form,
            auth=_Bearer(secret),
            headers={"Accept": "application/json", "User-Agent": "mpgit"},
            timeout=(_CONNECT_SECONDS, _READ_SECONDS),
            allow_redirects=False,
            # This very machine is not asked for by way of another.
            proxies={"http": ""},
            stream=True,
        ) as response:
            payload = _body(response, time.monotonic() + _CALL_SECONDS)
    except requests.exceptions.SSLError as error:
        raise HostError(
            "the host's certificate does not convince",
            code="unreachable",
            place=url,
            advice="for a host with certificates of its own: REQUESTS_CA_BUNDLE=/path/to/ca.pem",
        ) from error
    except (requests.RequestException, TimeoutError) as error:
        raise HostError(
            "the host is out of reach",
            code="unreachable",
            place=url,
            advice="is its name right, is there network, does $HTTPS_PROXY name the proxy?",
        ) from error
    if response.status_code in _BUSY:
        raise HostError(
            f"the host is too busy: HTTP {response.status_code}",
            code="unreachable",
            place=url,
            advice="try again later",
        )
    headers = response.headers
    try:
        data = json.loads(payload)
    except ValueError:
        data = None
    return _Answer(response.status_code, data if isinstance(data, dict) else {}, headers, url)


def _body(response: requests.Response, end: float) -> bytes:
    """The answer's bytes.

    Raises:
        TimeoutError: they come too slowly, or do not end.
    """
    payload = bytearray()
    for chunk in response.iter_content(1 << 14):
        payload += chunk
        if len(payload) > _MOST_BYTES or time.monotonic() > end:
            raise TimeoutError
    return bytes(payload)


def _refusal(word: str, web: str) -> InputError:
    code, message, advice = _REFUSALS[word]
    return InputError(message, code=code, place=web, advice=advice)


def _unexpected(answer: _Answer, why: str) -> NoReturn:
    """Refuse an answer; of what it holds only a plain word is repeated.

    Raises:
        HostError: always.
    """
    word = answer.data.get("error")
    said = f": {word}" if isinstance(word, str) and _WORD.fullmatch(word) else ""
    raise HostError(
        f"the host's answer (HTTP {answer.status}) makes no sense: {why}{said}",
        code="bad-answer",
        place=answer.place,
        advice="is this a GitHub or GitLab host, and its name right?",
    )


def _text(answer: _Answer, key: str) -> str:
    value = answer.data.get(key)
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 2000:  # noqa: PLR2004
        _unexpected(answer, f"{key} is missing")
    return value


def _seconds(answer: _Answer, key: str, *, default: float, most: float) -> float:
    value = answer.data.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return default
    return min(max(float(value), 1.0), most)
