"""Requests on any Git server: a branch ``requests/<participant>/<slug>`` each.

A closed one moves to ``closed/…``, so that nothing is lost; a merged one is found by the
trailer of its merge commit. Every push names what it expects to find, so that of two racing
pushes both land or the second is told.

Example:
    >>> branch("ky/dataset-opt-1")
    'refs/heads/requests/ky/dataset-opt-1'
"""

from __future__ import annotations

import re
from typing import Final

from medperf_git.errors import InputError, RaceError
from medperf_git.forge.base import Request, State
from medperf_git.vcs import Repository

MAIN: Final = "refs/heads/main"
OPEN: Final = "refs/heads/requests/"
CLOSED: Final = "refs/heads/closed/"
MIRROR: Final = "refs/remotes/origin/"
TRAILER: Final = "Request: "
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_ENDS: Final[dict[str, State]] = {"Reject": "rejected", "Withdraw": "withdrawn"}


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


class PlainForge:
    """Requests as branches of a Git server that knows nothing of them."""

    def __init__(self, mirror: Repository, url: str) -> None:
        self._mirror = mirror
        self._url = url

    def fetch(self) -> None:
        """Brings main and all requests to the mirror.

        Raises:
            GitError: out of reach.
        """
        self._mirror.fetch(self._url, [f"+refs/heads/*:{MIRROR}*"])

    def main(self) -> str | None:
        """Main's newest commit on the host, or None in an empty repository."""
        return self._mirror.find(MIRROR + "main")

    def requests(self, *, ended: bool = False) -> list[Request]:
        """Every open request; with `ended` the merged and closed ones too (walks history)."""
        found = [
            Request(name.removeprefix(MIRROR + "requests/"), oid, "open", self._title(oid))
            for name, oid in self._mirror.refs(MIRROR + "requests").items()
        ]
        return found + self._merged() + self._closed() if ended else found

    def request(self, request_id: str) -> Request:
        """One request by id; the open one where several had the same.

        Raises:
            InputError: there is none.
        """
        branch(request_id)
        oid = self._mirror.find(f"{MIRROR}requests/{request_id}")
        if oid is not None:
            return Request(request_id, oid, "open", self._title(oid))
        ended = [r for r in self._merged() + self._closed() if r.id == request_id]
        if ended:
            # A slug can be used again: the last one is meant.
            return max(ended, key=lambda request: self._mirror.commit(request.head).time)
        raise InputError(
            f"no request {request_id}", code="no-request", advice="`mpgit request ls` lists them"
        )

    def _title(self, oid: str) -> str:
        """The subject of the request's first commit: approvals stand on top of it."""
        main = self.main()
        first = next(self._mirror.first_parents(oid, main), oid)
        return self._mirror.commit(first).subject

    def _merged(self) -> list[Request]:
        main = self.main()
        found = []
        for oid in [] if main is None else self._mirror.first_parents(main):
            commit = self._mirror.commit(oid)
            for line in commit.message.splitlines():
                if line.startswith(TRAILER):
                    head = commit.parents[-1]
                    found.append(
                        Request(line.removeprefix(TRAILER), head, "merged", commit.subject)
                    )
        return found

    def _closed(self) -> list[Request]:
        found = []
        for name, oid in self._mirror.refs(MIRROR + "closed").items():
            request_id = re.sub(r"\+[0-9a-f]{8}$", "", name.removeprefix(MIRROR + "closed/"))
            commit = self._mirror.commit(oid)
            verb, _, reason = commit.subject.partition(": ")
            title = self._title(commit.parents[0]) if commit.parents else commit.subject
            found.append(Request(request_id, oid, _ENDS.get(verb, "withdrawn"), title, reason))
        return found

    def open(self, request_id: str, commit: str) -> Request:
        """Opens a request.

        Raises:
            InputError: one with this id is open already.
            GitError: out of reach, or refused.
        """
        name = branch(request_id)
        try:
            self._mirror.push(self._url, [(commit, name, None)])
        except RaceError as error:
            raise InputError(
                f"the request {request_id} is open already",
                code="request-exists",
                advice=f"`mpgit request view {request_id}` shows it, "
                f"`mpgit request withdraw {request_id}` takes it back",
            ) from error
        self._mirror.set_ref(f"{MIRROR}requests/{request_id}", commit)
        return Request(request_id, commit, "open", self._title(commit))

    def update(self, request: Request, commit: str) -> Request:
        """Adds a commit to a request.

        Raises:
            RaceError: somebody else added one first.
            GitError: out of reach, or refused.
        """
        self._mirror.push(self._url, [(commit, branch(request.id), request.head)])
        self._mirror.set_ref(f"{MIRROR}requests/{request.id}", commit)
        return Request(request.id, commit, "open", request.title)

    def merge(self, request: Request, main: str, commit: str) -> None:
        """Makes a merge commit main and removes the request's branch, both or neither.

        Raises:
            RaceError: main or the request moved.
            GitError: out of reach, or refused.
        """
        self._mirror.push(self._url, [(commit, MAIN, main), ("", branch(request.id), request.head)])
        self._mirror.set_ref(MIRROR + "main", commit)

    def close(self, request: Request, commit: str) -> None:
        """Moves a request's branch to ``closed/``.

        Raises:
            RaceError: somebody else changed it.
            GitError: out of reach, or refused.
        """
        target = f"{CLOSED}{request.id}+{commit[:8]}"
        self._mirror.push(
            self._url, [(commit, target, None), ("", branch(request.id), request.head)]
        )

    def create_main(self, commit: str, old: str | None) -> None:
        """Pushes the first commits of a registry.

        Raises:
            RaceError: somebody else did.
            GitError: out of reach, or refused.
        """
        self._mirror.push(self._url, [(commit, MAIN, old)])
        self._mirror.set_ref(MIRROR + "main", commit)
