"""What a host must offer for requests: open, list, add to, merge, close.

Example:
    >>> Request("ky/dataset-opt-1", "0" * 40, "open", "Add dataset ky/opt").participant
    'ky'
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

from medperf_git.errors import GitError, InputError
from medperf_git.vcs import Repository

MAIN: Final = "refs/heads/main"
OPEN: Final = "refs/heads/requests/"
MIRROR: Final = "refs/remotes/origin/"
"""Where the mirror keeps the host's branches."""
TRAILER: Final = "Request: "
"""Begins the line of a merge's message that names the request."""
NOT_OURS: Final = frozenset({"denied", "push-refused"})
"""The errors of a push that another try would meet again."""
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

State: TypeAlias = Literal["open", "merged", "rejected", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Request:
    """A proposed set of new records.

    Attributes:
        id: `participant/slug`.
        head: its newest commit.
        state: where it stands.
        title: what it asks for, in a line.
        reason: for a rejected or withdrawn request, why.
        url: where people look at it, if the host has such a place.
        number: the host's own number for it, if it has one.
    """

    id: str
    head: str
    state: State
    title: str
    reason: str = ""
    url: str = ""
    number: int | None = None

    @property
    def participant(self) -> str:
        """Who opened it."""
        return self.id.split("/")[0]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}


@dataclass(frozen=True, slots=True)
class Draft:
    """A request that is to be opened.

    Attributes:
        id: `participant/slug`.
        commit: its newest commit.
        title: what it asks for, in a line.
        body: what a reviewer reads first, as Markdown.
        labels: words to find it by.
    """

    id: str
    commit: str
    title: str
    body: str = ""
    labels: tuple[str, ...] = ()


def branch(request_id: str) -> str:
    """The branch that a request lives on.

    Raises:
        InputError: not `participant/slug`.
    """
    parts = request_id.split("/")
    if len(parts) != 2 or not all(_SLUG.fullmatch(part) for part in parts):  # noqa: PLR2004
        raise InputError(
            f"not a request: {request_id!r}",
            code="bad-request-id",
            advice="`mpgit request ls` lists them, as participant/slug",
        )
    return OPEN + request_id


def fetch_main(mirror: Repository, url: str) -> None:
    """Brings main alone to the mirror; a repository that is empty yet has none.

    Raises:
        GitError: out of reach.
    """
    mirror.fetch(url, [f"+{MAIN}:{MIRROR}main"])


def push_surely(mirror: Repository, url: str, commit: str, ref: str, old: str | None) -> None:
    """Points a branch elsewhere at a commit; where the answer was lost, looks whether it does.

    Raises:
        RaceError: somebody else moved it.
        GitError: `denied`, `push-refused`, or out of reach.
    """
    try:
        mirror.push(url, [(commit, ref, old)])
    except GitError as error:
        # A race too: git itself tries again, and then meets its own first try.
        if error.code in NOT_OURS or mirror.remote_ref(url, ref) != commit:
            raise


def no_request(request_id: str) -> InputError:
    """The error for a request that is not there."""
    return InputError(
        f"no request {request_id}", code="no-request", advice="`mpgit request ls` lists them"
    )


def request_exists(request_id: str) -> InputError:
    """The error for a request whose id an open one has."""
    return InputError(
        f"the request {request_id} is open already",
        code="request-exists",
        advice=f"`mpgit request view {request_id}` shows it, "
        f"`mpgit request withdraw {request_id}` takes it back",
    )


class Forge(Protocol):
    """Requests on one host; every method talks about what was fetched last."""

    def fetch(self) -> None:
        """Brings main and all requests to the mirror."""

    def main(self) -> str | None:
        """Main's newest commit on the host, or None in an empty repository."""

    def requests(self, *, ended: bool = False) -> list[Request]:
        """Every open request; with `ended` the merged and closed ones too."""

    def request(self, request_id: str) -> Request:
        """One request by id."""

    def open(self, draft: Draft) -> Request:
        """Opens a request; `request-exists` where one with this id is open already."""

    def update(self, request: Request, commit: str) -> Request:
        """Makes a commit a request's newest, if nobody else changed it meanwhile."""

    def merge(self, request: Request, main: str, commit: str) -> str:
        """Makes a merge commit main, if main and request are still what they were.

        A host that makes its own merges makes one of the same tree. Returns main's new commit.
        """

    def close(self, request: Request, commit: str) -> None:
        """Closes a request without merging; `commit` says why and keeps everything readable."""

    def create_main(self, commit: str, old: str | None) -> None:
        """Makes a commit main, if main is still what it was: a registry's first commits."""
