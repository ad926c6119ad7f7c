"""Pull requests of one repository on GitHub, as they stand there: reading alone.

Main comes with `git fetch`, and of the pull requests only those that are asked for. Changes nothing
at the host (``github`` does).

Paths and fields are those of https://docs.github.com/en/rest, version 2022-11-28.

Example::

    pulls = GitHubPulls(mirror, url, recognise(url), find_token)
    [request.id for request in pulls.requests()]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, Final

from medperf_git.errors import HostError, InputError
from medperf_git.forge.base import MIRROR, Request, State, branch, no_request
from medperf_git.forge.hosted import HostedRequests
from medperf_git.forge.http_api import HttpApi
from medperf_git.forge.login_host import one_line

_VERSION: Final = "2022-11-28"
PULLS: Final = MIRROR + "pull/"
"""Where the mirror keeps the heads of pull requests, by number."""
HEADS: Final = "refs/heads/"
PAGE: Final = 100
REJECTED: Final = "rejected"
"""The label of a request that somebody else closed."""
_LOOK_BACK: Final = 1000
"""How many closed pull requests are looked through for one."""


class GitHubPulls(HostedRequests):
    """The pull requests of one repository."""

    mark = "#"
    git_user = "x-access-token"

    @cached_property
    def api(self) -> HttpApi:
        """The host's interface."""
        api = HttpApi(self._host.api, self._token, tell=self._tell)
        api.header("X-GitHub-Api-Version", _VERSION)
        return api

    @property
    def path(self) -> str:
        """The repository's path in the interface."""
        return f"/repos/{self._host.project}"

    @cached_property
    def repository(self) -> Mapping[str, Any]:
        """What the host says of the repository.

        Raises:
            HostError: it is not there, or not for us.
        """
        found: Mapping[str, Any] = self.api.get(self.path)
        return found

    @cached_property
    def _me(self) -> str:
        """Our name at the host.

        Raises:
            InputError: `login`: nobody is logged in.
        """
        self._refuse_nobody()
        return str(self.api.get("/user")["login"])

    def _may_write(self) -> bool:
        return bool((self.repository.get("permissions") or {}).get("push"))

    # --- reading -----------------------------------------------------------------------------

    def requests(self, *, ended: bool = False) -> list[Request]:
        """Every open request; with `ended` the merged and closed ones too.

        Raises:
            HostError: the host does not answer.
        """
        pulls = sorted(
            self._pulls("all" if ended else "open"), key=lambda pull: int(pull["number"])
        )
        here = self._brought(pulls)
        return self._told_apart(self._request(pull, here) for pull in pulls)

    def request(self, request_id: str) -> Request:
        """One request by id, or by the host's number (`12` or `#12`).

        Raises:
            InputError: there is none.
        """
        digits = request_id.removeprefix("#")
        if digits.isascii() and digits.isdigit():
            try:
                pull = self.api.get(f"{self.path}/pulls/{digits}")
            except HostError as error:
                raise no_request(request_id) if error.code == "not-found" else error from error
            if pull["base"]["ref"] != "main":
                raise no_request(request_id)
            return self._request(pull, self._brought([pull]))
        name = branch(request_id).removeprefix(HEADS)
        pulls = [pull for pull in self._pulls("open") if pull["head"]["ref"] == name]
        if len(pulls) > 1 and self._token is not None:
            # Somebody else may have taken our request's name first: ours is meant.
            pulls.sort(key=lambda pull: (pull["head"].get("user") or {}).get("login") != self._me)
        pull = pulls[0] if pulls else self._ended(name)
        if pull is None:
            raise no_request(request_id)
        return self._request(pull, self._brought([pull]))

    def _pulls(self, state: str) -> Iterable[Any]:
        query: dict[str, str | int] = {"state": state, "base": "main", "per_page": PAGE}
        if state == "open":
            return self.api.pages(f"{self.path}/pulls", **query, sort="created", direction="asc")
        return self.api.pages(f"{self.path}/pulls", **query, sort="updated", direction="desc")

    def _ended(self, name: str) -> Any:
        for seen, pull in enumerate(self._pulls("closed")):
            if pull["head"]["ref"] == name:
                return pull
            if seen >= _LOOK_BACK:
                break
        return None

    def _brought(self, pulls: Iterable[Any]) -> dict[int, str]:
        """The head of each pull request that is open, brought to the mirror, by number."""
        wanted = {
            int(pull["number"]): str(pull["head"]["sha"])
            for pull in pulls
            if pull["state"] == "open"
        }
        known = {n: self._mirror.find(f"{PULLS}{n}") for n in wanted}
        missing = [n for n, head in wanted.items() if known[n] != head and not self._ahead(n, head)]
        if missing:
            self._mirror.fetch(self._url, [f"+refs/pull/{n}/head:{PULLS}{n}" for n in missing])
        return {n: self._mirror.find(f"{PULLS}{n}") or head for n, head in wanted.items()}

    def _ahead(self, number: int, head: str) -> bool:
        """Whether we have just pushed more than the host says: it follows some moments later."""
        pushed = self._pushed.get(number)
        return pushed is not None and self._mirror.is_ancestor(head, pushed)

    @cached_property
    def _pushed(self) -> dict[int, str]:
        """What this client has pushed, by number; only for as long as it runs."""
        return {}

    def _keep(self, number: int, commit: str) -> None:
        """Notes what was pushed."""
        self._pushed[number] = commit
        self._mirror.set_ref(f"{PULLS}{number}", commit)

    def _request(self, pull: Mapping[str, Any], here: Mapping[int, str]) -> Request:
        number, ref = int(pull["number"]), str(pull["head"]["ref"])
        request_id = f"#{number}"
        with suppress(InputError):
            named = ref.removeprefix("requests/")
            request_id = named if branch(named) == HEADS + ref else request_id
        labels = {str(label["name"]) for label in pull.get("labels") or ()}
        state: State = "open"
        if pull.get("merged_at"):
            state = "merged"
        elif pull["state"] == "closed":
            state = "rejected" if REJECTED in labels else "withdrawn"
        head = here.get(number, str(pull["head"]["sha"]))
        url = str(pull.get("html_url", ""))
        return Request(request_id, head, state, one_line(str(pull["title"])), "", url, number)
