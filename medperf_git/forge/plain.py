"""Requests on any Git server: a branch ``requests/<participant>/<slug>`` each.

A closed one moves to ``closed/…``, so that nothing is lost; a merged one is found by the
trailer of its merge commit. Every push names what it expects to find, so that of two racing
pushes both land or the second is told.

Example::

    forge = PlainForge(mirror, "ssh://git@host/registry.git")
    forge.fetch()
    [request.id for request in forge.requests()]
"""

from __future__ import annotations

import re
from typing import Final

from medperf_git.errors import RaceError
from medperf_git.forge.base import (
    MAIN,
    MIRROR,
    TRAILER,
    Draft,
    Request,
    State,
    branch,
    no_request,
    request_exists,
)
from medperf_git.vcs import Repository

CLOSED: Final = "refs/heads/closed/"
_ENDS: Final[dict[str, State]] = {"Reject": "rejected", "Withdraw": "withdrawn"}


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
        ended = [r for r in self._merged(request_id) + self._closed() if r.id == request_id]
        if ended:
            # A slug can be used again: the last one is meant.
            return max(ended, key=lambda request: self._mirror.commit(request.head).time)
        raise no_request(request_id)

    def _title(self, oid: str) -> str:
        """The subject of the request's first commit: approvals stand on top of it."""
        main = self.main()
        first = next(self._mirror.first_parents(oid, main), oid)
        return self._mirror.commit(first).subject

    def _merged(self, request_id: str = "") -> list[Request]:
        """Merged requests, oldest first; those with this id, or all of them."""
        main = self.main()
        found = []
        for oid in [] if main is None else self._mirror.saying(TRAILER + request_id, main):
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

    def open(self, draft: Draft) -> Request:
        """Opens a request; its commits say what it asks for.

        Raises:
            InputError: one with this id is open already.
            GitError: out of reach, or refused.
        """
        try:
            self._mirror.push(self._url, [(draft.commit, branch(draft.id), None)])
        except RaceError as error:
            raise request_exists(draft.id) from error
        self._mirror.set_ref(f"{MIRROR}requests/{draft.id}", draft.commit)
        return Request(draft.id, draft.commit, "open", self._title(draft.commit))

    def update(self, request: Request, commit: str) -> Request:
        """Makes a commit a request's newest.

        Raises:
            RaceError: somebody else added one first.
            GitError: out of reach, or refused.
        """
        self._mirror.push(self._url, [(commit, branch(request.id), request.head)])
        self._mirror.set_ref(f"{MIRROR}requests/{request.id}", commit)
        return Request(request.id, commit, "open", request.title)

    def merge(self, request: Request, main: str, commit: str) -> str:
        """Makes a merge commit main and removes the request's branch, both or neither.

        Raises:
            RaceError: main or the request moved.
            GitError: out of reach, or refused.
        """
        self._mirror.push(self._url, [(commit, MAIN, main), ("", branch(request.id), request.head)])
        self._mirror.set_ref(MIRROR + "main", commit)
        return commit

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
