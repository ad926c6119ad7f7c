"""Merge requests of one project on GitLab, as they stand there: reading alone.

Main comes with `git fetch`, and of the merge requests only those that are asked for. Changes
nothing at the host (``gitlab`` does).

Paths and fields are those of https://docs.gitlab.com/api/merge_requests, version 4.

Example::

    merges = GitLabMerges(mirror, url, recognise(url), find_token)
    [request.id for request in merges.requests()]
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

from medperf_git.errors import GitError, HostError, InputError
from medperf_git.forge.base import MIRROR, Request, State, branch, fetch_main, no_request
from medperf_git.forge.gitlab_api import GitLabApi
from medperf_git.forge.hosts import Host
from medperf_git.forge.login_host import refuse_open_line
from medperf_git.forge.secret import Secret
from medperf_git.vcs import Repository

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

Tell = Callable[[str], None]


class GitLabMerges:
    """The merge requests of one project."""

    def __init__(
        self,
        mirror: Repository,
        url: str,
        host: Host,
        token: Callable[[], Secret | None],
        tell: Tell = lambda _line: None,
    ) -> None:
        """Asks nothing yet.

        Args:
            mirror: the local mirror.
            url: the project's address for git.
            host: the host, and the project's name there.
            token: who we are, asked for when it is first needed.
            tell: called where something takes long.
        """
        self._mirror = mirror
        self._url = url
        self._host = host
        self._find = token
        self._tell = tell

    # --- who and where -----------------------------------------------------------------------

    @cached_property
    def _token(self) -> Secret | None:
        token = self._find()
        if token is not None:
            refuse_open_line(self._host.web)
            pair = base64.b64encode(f"oauth2:{token.reveal()}".encode()).decode()
            self._mirror.authorise(f"{self._host.web}/", f"Authorization: Basic {pair}")
        return token

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
        if self._token is None:
            raise InputError(
                f"{self._host.name} must know who asks",
                code="login",
                place=self._url,
                advice=f"mpgit login {self._host.name}",
            )
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

    def _address(self, project: str) -> str:
        """Where git finds another project of the host, by the same way as ours."""
        before, _, after = self._url.rpartition(self._host.project)
        return before + project + after

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

    def fetch(self) -> None:
        """Brings main to the mirror; requests come when they are asked for.

        Raises:
            GitError: out of reach.
        """
        self._token  # noqa: B018 (git needs it too)
        fetch_main(self._mirror, self._url)

    def main(self) -> str | None:
        """Main's newest commit on the host, or None in an empty repository."""
        return self._mirror.find(MIRROR + "main")

    def requests(self, *, ended: bool = False) -> list[Request]:
        """Every open request; with `ended` the merged and closed ones too.

        Raises:
            HostError: the host does not answer.
        """
        merges = list(self._merges("all" if ended else "opened"))
        here = self._brought(merges)
        found, taken = [], set()
        for merge in merges:
            request = self._request(merge, here)
            # Anybody can open a merge request from a branch of any name: the first has it.
            if request.state == "open" and request.id in taken:
                request = replace(request, id=f"!{request.number}")
            if request.state == "open":
                taken.add(request.id)
            found.append(request)
        return found

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
        merge = next(iter(self._merges("opened", name)), None) or self._ended(name)
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
            try:
                self._bring(missing)
            except GitError:
                # A new one's head is there later than the merge request: it hides no other.
                self._bring([n for n in missing if self._mirror.remote_ref(self._url, _head(n))])
        return {n: self._mirror.find(f"{MERGES}{n}") or head for n, head in wanted.items()}

    def _bring(self, numbers: list[int]) -> None:
        if numbers:
            self._mirror.fetch(self._url, [f"+{_head(n)}:{MERGES}{n}" for n in numbers])

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
