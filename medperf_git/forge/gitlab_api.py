"""GitLab's interface through `python-gitlab`: plain data in and out, else clear errors.

The only importer of that client, and no object of it leaves this file. It brings the calls, the
pages and the patience; added here is what a registry needs besides: a token goes to one host, over
TLS (or to this machine itself), and is in no error; no wait and no answer is without end; and what
could have been done though its answer was lost is never done twice: the caller says how to see that
it was. Knows no paths of merge requests.

Example::

    api = GitLabApi("https://gitlab.com", token)
    api.get("/projects/clinics%2Fpreterm")["merge_method"]
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import gitlab
from gitlab.exceptions import GitlabAuthenticationError, GitlabError, GitlabParsingError

from medperf_git.errors import HostError
from medperf_git.forge.login_host import one_line, refuse_open_line
from medperf_git.forge.secret import Secret
from medperf_git.version import __version__

_SECONDS: Final = 30.0
"""To connect, and between two pieces of an answer."""
_TRIES: Final = 4
_PAUSE_SECONDS: Final = 0.5
_MOST_WAIT_SECONDS: Final = 120.0
_MOST_BYTES: Final = 32 * 1024 * 1024
_MOST_REDIRECTS: Final = 3
_PAGE: Final = 100
_LIMITED: Final = 429
_BUSY: Final = 500
_OAUTH: Final = re.compile(r"[0-9a-f]{64}")
"""What a token looks like that a person did not make, but a login in the browser."""


class GitLabApi:
    """One host's interface."""

    def __init__(
        self,
        web: str,
        token: Secret | None,
        *,
        tell: Callable[[str], None] = lambda _line: None,
        most_wait: float = _MOST_WAIT_SECONDS,
    ) -> None:
        """Sends nothing yet.

        Args:
            web: the host's own address, without a slash at its end.
            token: who we are; None to be nobody.
            tell: called where something takes long.
            most_wait: seconds that a limit may make us wait.

        Raises:
            InputError: `not-encrypted`: the token would go over an open line.
        """
        if token is not None:
            refuse_open_line(web)
        self._web = web
        self._token = token
        self._tell = tell
        self._most_wait = most_wait
        self.host = urlsplit(web).netloc
        self._client = self._made()

    def _made(self) -> gitlab.Gitlab:
        text = self._token.reveal() if self._token else None
        oauth = text is not None and _OAUTH.fullmatch(text) is not None
        client = gitlab.Gitlab(
            self._web,
            private_token=None if oauth else text,
            oauth_token=text if oauth else None,
            timeout=_SECONDS,
            user_agent=f"mpgit/{__version__}",
            keep_base_url=True,
        )
        session = client.session
        session.max_redirects = _MOST_REDIRECTS
        # Without it, a password is looked for in ~/.netrc.
        session.auth = lambda request: request
        # No way leads to another address: a redirect or a next page there fails unsent.
        way = session.adapters["https://"]
        session.adapters.clear()
        session.mount(f"{self._web}/", way)
        session.hooks["response"].append(self._seen)
        return client

    # --- asking ------------------------------------------------------------------------------

    def get(self, path: str, **query: str | int) -> Any:
        """What stands at a path.

        Raises:
            HostError: see `send`.
        """
        return self._data(lambda: self._client.http_get(path, query, **_PATIENTLY))

    def pages(self, path: str, **query: str | int) -> Iterator[Any]:
        """The entries of a list, page by page as they are asked for.

        Raises:
            HostError: see `send`.
        """
        query = {"per_page": _PAGE, **query}
        entries = iter(
            self._asked(lambda: self._client.http_list(path, query, iterator=True, **_PATIENTLY))
        )
        while (entry := self._asked(lambda: next(entries, None))) is not None:
            yield entry

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
            method: `POST` or `PUT`.
            path: where.
            body: what.
            done: called where no answer came: what the answer would have been, or None where
                nothing was done, so that it is tried again.

        Raises:
            HostError: `login`, `forbidden`, `not-found`, `rate-limit`, `unreachable`, or
                `refused` with what the host says; its `status` tells them apart.
        """
        call = {"POST": self._client.http_post, "PUT": self._client.http_put}[method]
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_PAUSE_SECONDS * 2.0 ** (attempt - 1))
            try:
                return self._data(lambda: call(path, post_data=dict(body)))
            except HostError as error:
                if error.code != "unreachable":
                    raise
                found = done()
                if found is not None:
                    return found
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError

    # --- answers -----------------------------------------------------------------------------

    def _data(self, call: Callable[[], Any]) -> Any:
        found = self._asked(call)
        if not isinstance(found, dict | list):
            raise self._unreachable("it did not answer in JSON")
        return found

    def _asked(self, call: Callable[[], Any]) -> Any:
        """What a call of the client gives, its errors as ours."""
        try:
            return call()
        except GitlabParsingError as error:
            raise self._unreachable("it did not answer in JSON") from error
        except GitlabError as error:
            status = error.response_code
            if status is not None and status >= _BUSY:
                raise self._unreachable(f"HTTP {status}", status) from error
            raise self._refusal(error) from error
        except OSError as error:  # the network's, and all of `requests`
            if isinstance(error, ValueError):
                raise self._led_away() from error
            raise self._unreachable(type(error).__name__) from error
        except (LookupError, TypeError, AttributeError) as error:
            raise self._unreachable("it answers as no GitLab does") from error

    def _seen(self, answer: Any, **_options: Any) -> None:
        """Judges each answer before the client does.

        Raises:
            HostError: `rate-limit`: longer than anybody waits; or it has no end.
        """
        content = b""
        for piece in answer.iter_content(64 * 1024):
            content += piece
            if len(content) > _MOST_BYTES:
                raise HostError("its answer has no end", place=self._web)
        answer._content = content  # noqa: SLF001 (the one way to bound a body)
        if answer.status_code == _LIMITED:
            self._bound(answer.headers)

    def _bound(self, headers: Any) -> None:
        """Says how long a limit makes us wait: the client waits then, as long as it is told."""
        after, reset = headers.get("Retry-After", ""), headers.get("RateLimit-Reset", "")
        if after.isdigit():
            wait = float(after)
        elif reset.isdigit():
            wait = max(0.0, float(reset) - time.time())
        else:
            wait = 60.0
        headers["Retry-After"] = str(int(wait) + 1)
        if wait > self._most_wait:
            at = time.strftime("%H:%M", time.localtime(time.time() + wait))
            raise HostError(
                f"{self.host} answers no more questions until {at}",
                code="rate-limit",
                status=_LIMITED,
                place=self._web,
                advice="nothing is lost; try again then"
                + ("" if self._token else f", or log in: mpgit login {self.host}"),
            )
        self._tell(f"{self.host} asks for patience: going on in {wait:.0f} s")

    # --- errors ------------------------------------------------------------------------------

    def _unreachable(self, reason: str, status: int | None = None) -> HostError:
        return HostError(
            f"{self.host} does not answer: {reason}",
            code="unreachable",
            status=status,
            place=self._web,
            advice="nothing is lost; check the network and try again",
        )

    def _led_away(self) -> HostError:
        return HostError(
            f"{self.host} leads away from itself, where no token is sent",
            code="led-away",
            place=self._web,
            advice="add the registry anew at the address where it is now",
        )

    def _refusal(self, error: GitlabError) -> HostError:
        status, said = error.response_code, self._clean(_flat(error.error_message))
        known = f"mpgit login {self.host}"
        if isinstance(error, GitlabAuthenticationError):
            status = 401
        if status == _LIMITED:
            code, advice = "rate-limit", "nothing is lost; try again later"
        elif status == 401:  # noqa: PLR2004 (HTTP's own numbers)
            code, advice = "login", f"log in anew: {known}"
        elif status == 403:  # noqa: PLR2004
            code, advice = "forbidden", "ask who keeps the repository" if self._token else known
        elif status == 404:  # noqa: PLR2004
            code = "not-found"
            advice = (
                "check its name, and that you may read it"
                if self._token
                else f"check its name; one that is private needs: {known}"
            )
        else:
            code, advice = "refused", None
        return HostError(
            f"{self.host} refuses: {said or 'without a word'} (HTTP {status})",
            status=status,
            code=code,
            place=self._web,
            advice=advice,
        )

    def _clean(self, text: str) -> str:
        """One line, without a token that a host says back."""
        if self._token is not None:
            text = text.replace(self._token.reveal(), "…")
        return one_line(text)


_PATIENTLY: Final[dict[str, Any]] = {"retry_transient_errors": True, "max_retries": _TRIES - 1}


def _flat(said: Any) -> str:
    """What a refusal says: a text, a list of texts, or texts by field."""
    if isinstance(said, dict):
        return "; ".join(f"{name}: {_flat(value)}" for name, value in said.items())
    if isinstance(said, list):
        return "; ".join(map(_flat, said))
    return str(said)
