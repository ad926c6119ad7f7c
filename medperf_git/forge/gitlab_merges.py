"""Merge requests of one project on GitLab, as they stand there: reading alone.

Main comes with `git fetch`, and of the merge requests only those that are asked for. Changes
nothing at the host (``gitlab`` does).

Paths and fields are those of https://docs.gitlab.com/api/merge_requests, version 4.

Example::

    merges = GitLabMerges(mirror, url, recognise(url), find_token)
    [request.id for request in merges.requests()]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

from medperf_git.errors import HostError, InputError
from medperf_git.forge.base import MIRROR, Request, State, branch, no_request
from medperf_git.forge.gitlab_api import GitLabApi
from medperf_git.forge.hosted import HostedRequests

MERGES: Final = MIRROR + "merge-requests/"
"""Where the mirror keeps the heads of merge requests, by number."""
HEADS: Final = "refs/heads/"
REJECTED: Final = "rejected"
"""The label of a request that somebody else closed."""
OPENED: Final = frozenset({"opened", "locked"})
"""GitLab's states of an open merge request; it is `locked` while it is being merged."""
_DEVELOPER: Final = 30
"""GitLab's number of the least role that may push branches."""
_CLOSED_TO_US: Final = frozenset({"not-found", "forbidden"})


class GitLabMerges(HostedRequests):
    """The merge requests of one project."""

    mark = "!"
    git_user = "oauth2"

    @cached_property
    def api(self) -> GitLabApi:
        """The host's interface."""
        return GitLabApi(self._host.web, self._token, tell=self._tell)

    @cached_property
    def project(self) -> Mapping[str, Any]:
        """What the host says of the project.

        Raises:
            HostError: it is not there, or not for us.
        """
        found: Mapping[str, Any] = self.api.get(f"/projects/{quote(self._host.project, safe='')}")
        return found

    @property
    def path(self) -> str:
        """The project's path in the interface: by number, which a change of name leaves alone."""
        return f"/projects/{self.project['id']}"

    def at(self, number: int | str | None) -> str:
        """A merge request's path in the interface."""
        return f"{self.path}/merge_requests/{number}"

    @cached_property
    def _me(self) -> Mapping[str, Any]:
        """Whom the host takes us for.

        Raises:
            InputError: `login`: nobody is logged in.
        """
        self._refuse_nobody()
        found: Mapping[str, Any] = self.api.get("/user")
        return found

    def _may_write(self) -> bool:
        """Whether we may push branches here, by whatever group gave us the right."""
        try:
            member = self.api.get(f"{self.path}/members/all/{self._me['id']}")
        except HostError as error:
            if error.code in _CLOSED_TO_US:
                return False
            raise
        return int(member.get("access_level") or 0) >= _DEVELOPER

    def _source(self, merge: Mapping[str, Any]) -> str | None:
        """The address of the project that a branch is in; None where we find none any more."""
        number = merge.get("source_project_id")
        if number is None or number == self.project["id"]:
            return None if number is None else self._url
        try:
            found = self.api.get(f"/projects/{number}")
        except HostError as error:
            if error.code in _CLOSED_TO_US:
                return None
            raise
        return self._address(str(found["path_with_namespace"]))

    # --- reading -----------------------------------------------------------------------------

    def requests(self, *, ended: bool = False) -> list[Request]:
        """Every open request; with `ended` the merged and closed ones too.

        Raises:
            HostError: the host does not answer.
        """
        merges = list(self._merges("all" if ended else "opened"))
        here = self._brought(merges)
        return self._told_apart(self._request(merge, here) for merge in merges)

    def request(self, request_id: str) -> Request:
        """One request by id, or by the host's number (`12` or `!12`).

        Raises:
            InputError: there is none.
        """
        digits = request_id.removeprefix("!")
        if digits.isascii() and digits.isdigit():
            try:
                merge = self.api.get(self.at(int(digits)))
            except HostError as error:
                raise no_request(request_id) if error.code == "not-found" else error from error
            if merge["target_branch"] != "main":
                raise no_request(request_id)
            return self._request(merge, self._brought([merge]))
        name = branch(request_id).removeprefix(HEADS)
        merges = list(self._merges("opened", name))
        if len(merges) > 1 and self._token is not None:
            # Somebody else may have taken our request's name first: ours is meant.
            merges.sort(key=lambda merge: merge["author"]["id"] != self._me["id"])
        merge = merges[0] if merges else self._ended(name)
        if merge is None:
            raise no_request(request_id)
        return self._request(merge, self._brought([merge]))

    def _merges(self, state: str, source: str = "") -> Iterable[Any]:
        """Merge requests into main, the oldest first; those of one source branch alone."""
        query = {"state": state, "target_branch": "main", "scope": "all"}
        query |= {"order_by": "created_at", "sort": "asc"}
        query |= {"source_branch": source} if source else {}
        return self.api.pages(f"{self.path}/merge_requests", **query)

    def _ended(self, name: str) -> Any:
        """The last merge request from a branch that is no longer open."""
        found = [merge for merge in self._merges("all", name) if merge["state"] not in OPENED]
        return found[-1] if found else None

    def _brought(self, merges: Iterable[Any]) -> dict[int, str]:
        """The head of each merge request that is open, brought to the mirror, by number."""
        wanted = {int(merge["iid"]): sha_of(merge) for merge in merges if merge["state"] in OPENED}
        missing = [n for n, head in wanted.items() if self._mirror.find(f"{MERGES}{n}") != head]
        if missing:
            self._token  # noqa: B018 (git needs it too)
            # A new one's head is there later than the merge request: what lacks hides no other.
            self._mirror.fetch(self._url, [f"+{_head(n)}:{MERGES}{n}" for n in missing])
        return {n: self._mirror.find(f"{MERGES}{n}") or head for n, head in wanted.items()}

    def _request(self, merge: Mapping[str, Any], here: Mapping[int, str]) -> Request:
        number, ref = int(merge["iid"]), str(merge["source_branch"])
        request_id = f"!{number}"
        with suppress(InputError):
            named = ref.removeprefix("requests/")
            request_id = named if branch(named) == HEADS + ref else request_id
        state: State = "open"
        if merge["state"] == "merged":
            state = "merged"
        elif merge["state"] not in OPENED:
            state = "rejected" if REJECTED in (merge.get("labels") or ()) else "withdrawn"
        head = here.get(number, sha_of(merge))
        url = str(merge.get("web_url") or "")
        return Request(request_id, head, state, line_of(merge["title"]), "", url, number)


def line_of(text: object) -> str:
    """What a host says, as one short line."""
    return " ".join(str(text).split())[:200]


def sha_of(merge: Mapping[str, Any]) -> str:
    """A merge request's head as the host knows it; "" where it has not looked yet."""
    return str(merge.get("sha") or "")


def _head(number: int) -> str:
    """Where the host keeps a merge request's head."""
    return f"refs/merge-requests/{number}/head"
