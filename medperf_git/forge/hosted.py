"""What requests on GitHub and on GitLab have in common: a mirror, a token, branches and forks.

Each host's own file says how a request is found, opened and merged there. Speaks to no interface
itself, only to git.

Example::

    class GitHubPulls(HostedRequests):
        mark = "#"
        git_user = "x-access-token"
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from typing import ClassVar, Final

from medperf_git.errors import InputError
from medperf_git.forge.base import MAIN, MIRROR, Draft, Request, fetch_main
from medperf_git.forge.hosts import Host
from medperf_git.forge.login_host import refuse_open_line
from medperf_git.forge.secret import Secret
from medperf_git.vcs import Repository, identity_from_environment

_LONGEST_SLUG: Final = 64

Tell = Callable[[str], None]


class HostedRequests(ABC):
    """The requests of one repository on a host with an interface.

    Attributes:
        mark: what stands before a request's number there.
        git_user: the user's name with which git sends a token.
    """

    mark: ClassVar[str]
    git_user: ClassVar[str]

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
            url: the repository's address for git.
            host: the host, and the repository's name there.
            token: who we are, asked for when it is first needed.
            tell: called where something takes long.
        """
        self._mirror = mirror
        self._url = url
        self._host = host
        self._find = token
        self._tell = tell

    @cached_property
    def _token(self) -> Secret | None:
        token = self._find()
        if token is not None:
            refuse_open_line(self._host.web)
            pair = base64.b64encode(f"{self.git_user}:{token.reveal()}".encode()).decode()
            self._mirror.authorise(f"{self._host.web}/", f"Authorization: Basic {pair}")
        return token

    def _refuse_nobody(self) -> None:
        """Raises where nobody is logged in.

        Raises:
            InputError: `login`.
        """
        if self._token is None:
            raise InputError(
                f"{self._host.name} must know who asks",
                code="login",
                place=self._url,
                advice=f"mpgit login {self._host.name}",
            )

    def _address(self, project: str) -> str:
        """Where git finds another repository of the host, by the same way as ours."""
        before, _, after = self._url.rpartition(self._host.project)
        return before + project + after

    # --- main --------------------------------------------------------------------------------

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

    def create_main(self, commit: str, old: str | None) -> None:
        """Pushes the first commits of a registry.

        Raises:
            RaceError: somebody else did.
            GitError: out of reach, or refused.
        """
        self._refuse_nobody()
        self._mirror.push(self._url, [(commit, MAIN, old)])
        self._mirror.set_ref(MIRROR + "main", commit)

    # --- requests ----------------------------------------------------------------------------

    @abstractmethod
    def open(self, draft: Draft) -> Request:
        """Opens a request."""

    @abstractmethod
    def update(self, request: Request, commit: str) -> Request:
        """Makes a commit a request's newest."""

    @abstractmethod
    def _comment(self, request: Request, text: str) -> None:
        """Says something below a request, if we may."""

    def _told_apart(self, requests: Iterable[Request]) -> list[Request]:
        """The same requests, in which no two open ones have one id.

        Anybody can open one from a branch of any name: the first has it, others their number.
        """
        found: list[Request] = []
        taken: set[str] = set()
        for request in requests:
            unique = request
            if request.state == "open" and request.id in taken:
                unique = replace(request, id=f"{self.mark}{request.number}")
            if unique.state == "open":
                taken.add(unique.id)
            found.append(unique)
        return found

    def _beside(self, request: Request, commit: str) -> Request:
        """A request of our own that holds another one and more."""
        tail = f"-{commit[:8]}"
        participant, _, slug = request.id.rpartition("/")
        slug = slug.removeprefix(self.mark)[: _LONGEST_SLUG - len(tail)].strip("-") + tail
        body = (
            f"This holds {self.mark}{request.number} and one commit more, which could not be added "
            f"there. Merging this merges both.\n"
        )
        opened = self.open(Draft(f"{participant or 'request'}/{slug}", commit, request.title, body))
        said = f"Continued in {self.mark}{opened.number}, which holds this request."
        self._comment(request, said)
        return opened

    def _holding_main(self, request: Request, main: str, tree: str) -> Request:
        """A request that holds main, and so has the very tree that merging it makes.

        Args:
            request: which.
            main: main's commit.
            tree: the tree that was judged.
        """
        if self._mirror.is_ancestor(main, request.head):
            return request
        self._tell("bringing main into the request, and waiting for the host's check")
        holding = self._mirror.write_commit(
            tree,
            [request.head, main],
            f"Bring main into the request\n\nMain was at {main}.\n",
            identity_from_environment(),
        )
        return self.update(request, holding)
