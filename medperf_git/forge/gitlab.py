"""Requests on GitLab, on gitlab.com or a server of one's own: a merge request each.

Who may write pushes a branch of the project itself, everybody else one of a fork. Main is merged by
GitLab, from a head that already holds main, so that what it makes has the tree that was judged; it
is never squashed and never rebased, since both would make commits that nobody signed. Everything
can be done again after a lost answer. Judges nothing, and believes nothing: what comes of it is
audited like any other main.

Example::

    forge = GitLabForge(mirror, url, recognise(url), find_token)
    [request.id for request in forge.requests()]
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from medperf_git.errors import GitError, HostError, InputError, RaceError
from medperf_git.forge.base import (
    MAIN,
    NOT_OURS,
    Draft,
    Request,
    branch,
    push_surely,
    request_exists,
)
from medperf_git.forge.gitlab_merges import HEADS, MERGES, OPENED, REJECTED, GitLabMerges, sha_of
from medperf_git.forge.gitlab_pipelines import wait_or_raise

_FORK_SECONDS: Final = 300.0
_FOLLOW_SECONDS: Final = 60.0
_CHECK_SECONDS: Final = 1200.0
_PAUSE_SECONDS: Final = 2.0
_MOST_IN_VAIN: Final = 5

_UNKNOWN, _CONFLICT = 401, 409
_IMPORTED: Final = frozenset({"none", "finished"})
_MERGE_METHODS: Final = frozenset({"merge", "rebase_merge"})
"""GitLab's settings that make merge commits; the second one alone checks that main is held."""
_COMMAND = re.compile(r"^(\s*)/(?=\w)", re.MULTILINE)
"""A line that GitLab would obey instead of show."""


class GitLabForge(GitLabMerges):
    """Requests as merge requests of one project."""

    # --- opening -----------------------------------------------------------------------------

    def open(self, draft: Draft) -> Request:
        """Opens a request: from a branch here, or of a fork where we may not write here.

        Raises:
            InputError: `request-exists`: one with this id is open already; `login`.
            HostError, GitError: out of reach, or refused; the same call goes on from there.
        """
        ref = branch(draft.id)
        source = self._where_to_push()
        here = source["id"] == self.project["id"]
        address = self._url if here else self._address(str(source["path_with_namespace"]))
        name = ref.removeprefix(HEADS)
        there = self._mirror.remote_ref(address, ref)
        opened = self._opened(source["id"], name)
        if opened is not None and there != draft.commit:
            raise request_exists(draft.id)
        if there != draft.commit:
            # What stands there without a request was left by a client that died, or was closed.
            try:
                self._mirror.push(address, [(draft.commit, ref, there)])
            except RaceError as error:
                raise request_exists(draft.id) from error
        merge = opened or self._created(draft, source["id"], name)
        self._mirror.set_ref(f"{MERGES}{merge['iid']}", draft.commit)
        return self._request(merge, {int(merge["iid"]): draft.commit})

    def _created(self, draft: Draft, source: int, name: str) -> Any:
        body = {
            "title": draft.title,
            "description": _shown(draft.body),
            "source_branch": name,
            "target_branch": "main",
            "target_project_id": self.project["id"],
            # Of those who may give none, GitLab takes no notice.
            "labels": ",".join(label.replace(",", " ") for label in draft.labels),
            "remove_source_branch": True,
            "squash": False,
            "allow_collaboration": source != self.project["id"],
        }
        try:
            return self.api.send(
                "POST",
                f"/projects/{source}/merge_requests",
                body,
                done=lambda: self._opened(source, name),
            )
        except HostError as error:
            opened = self._opened(source, name) if error.status == _CONFLICT else None
            if opened is None:
                raise
            return opened

    def _opened(self, source: int, name: str) -> Any:
        """The open merge request from a branch of a project, if there is one."""
        found = (m for m in self._merges("opened", name) if m["source_project_id"] == source)
        return next(found, None)

    def _where_to_push(self) -> Mapping[str, Any]:
        """The project that our branches go to: this one, or our fork of it."""
        self._me  # noqa: B018 (only who is known can open anything)
        return self.project if self._may_write() else self._fork()

    def _fork(self) -> Mapping[str, Any]:
        """Our fork, made if there is none: GitLab makes it later than it says so."""
        made = self._forked()
        if made is None:
            # main alone: other people's requests are none of ours.
            path, body = f"{self.path}/fork", {"branches": "main"}
            made = self.api.send("POST", path, body, done=self._forked)
        until = time.monotonic() + _FORK_SECONDS
        self._tell(f"waiting for the fork {made['path_with_namespace']}")
        while made.get("import_status", "none") not in _IMPORTED:
            if made["import_status"] == "failed" or time.monotonic() > until:
                raise HostError(
                    f"the fork {made['path_with_namespace']} is not there yet",
                    code="fork-missing",
                    place=str(made.get("web_url") or self._url),
                    advice="nothing is lost; `mpgit registry sync` goes on from here",
                )
            time.sleep(_PAUSE_SECONDS)
            made = self.api.get(f"/projects/{made['id']}")
        found: Mapping[str, Any] = made
        return found

    def _forked(self) -> Any:
        """Our own fork, if there is one."""
        me = str(self._me["username"]).lower()
        for fork in self.api.pages(f"{self.path}/forks", owned="true"):
            if str(fork["path_with_namespace"]).lower().rpartition("/")[0] == me:
                return self.api.get(f"/projects/{fork['id']}")
        return None

    # --- adding ------------------------------------------------------------------------------

    def update(self, request: Request, commit: str) -> Request:
        """Makes a commit a request's newest; where we may not, a request that holds this one.

        Raises:
            RaceError: somebody else changed it first.
            HostError, GitError: out of reach, or refused.
        """
        merge = self._current(request)
        address = self._source(merge)
        if address is not None:
            try:
                ref = HEADS + str(merge["source_branch"])
                push_surely(self._mirror, address, commit, ref, request.head)
            except GitError as error:
                if error.code not in NOT_OURS or merge["author"]["id"] == self._me["id"]:
                    raise
            else:
                self._mirror.set_ref(f"{MERGES}{merge['iid']}", commit)
                return replace(request, head=commit)
        return self._beside(request, commit)

    def _current(self, request: Request) -> Any:
        """The merge request as it is now, once the host has seen the newest push.

        Raises:
            RaceError: it has another head than the request.
        """
        self._me  # noqa: B018 (only who is known can change anything)
        until = time.monotonic() + _FOLLOW_SECONDS
        while True:
            merge = self.api.get(self.at(request.number))
            if merge["state"] not in OPENED:
                raise InputError(
                    f"the request {request.id} was closed", code="request-closed", place=request.url
                )
            if sha_of(merge) == request.head:
                return merge
            # A merge request follows its branch some time after the push.
            address = self._source(merge)
            ref = HEADS + str(merge["source_branch"])
            if address is None or self._mirror.remote_ref(address, ref) != request.head:
                raise RaceError(f"somebody else changed {request.id}", place=request.url)
            if time.monotonic() > until:
                raise HostError(
                    f"{self._host.name} has not seen the newest commit of {request.id} yet",
                    code="host-behind",
                    place=request.url,
                    advice="nothing is lost; try again",
                )
            time.sleep(_PAUSE_SECONDS)

    def _comment(self, request: Request, text: str) -> None:
        path = f"{self.at(request.number)}/notes"

        def done() -> Any:
            notes = self.api.get(path, sort="desc", order_by="created_at")
            return next((note for note in notes if note["body"] == text), None)

        with suppress(HostError):
            self.api.send("POST", path, {"body": text}, done=done)

    # --- ending ------------------------------------------------------------------------------

    def merge(self, request: Request, main: str, commit: str) -> str:
        """Has GitLab merge exactly the head that was judged, once it holds main and is green.

        Raises:
            RaceError: main or the request moved.
            AwaitingError: the pipeline is red, or did not come in time; or people must act there.
            HostError, GitError: out of reach, or refused.
        """
        self._refuse_other_methods()
        planned = self._mirror.commit(commit)
        request = self._holding_main(request, main, planned.tree)
        self._current(request)
        self._merge_when_green(request, main, planned.message)
        self.fetch()
        return self.main() or ""

    def _refuse_other_methods(self) -> None:
        method = self.project.get("merge_method") or "merge"
        squash = self.project.get("squash_option") == "always"
        if method not in _MERGE_METHODS or squash:
            raise HostError(
                f"this project {'squashes what it merges' if squash else 'merges without commits'}"
                f": only a merge commit keeps what people signed",
                code="merge-method",
                place=self._url,
                advice="a maintainer sets, in the settings for merge requests: merge method "
                "`Merge commit`, and squash commits `Do not allow`",
            )

    def _merge_when_green(self, request: Request, main: str, message: str) -> None:
        path = self.at(request.number)
        body = {
            "sha": request.head,
            "merge_commit_message": message,
            "squash": False,
            "should_remove_source_branch": True,
        }

        def done() -> Any:
            merge = self.api.get(path)
            return merge if merge["state"] == "merged" else None

        until = time.monotonic() + _CHECK_SECONDS
        in_vain = 0
        while True:
            # GitLab asks for the head alone: main could have moved since it was judged.
            if self._mirror.remote_ref(self._url, MAIN) != main and done() is None:
                raise RaceError("main moved", place=request.url)
            refusal: HostError | None = None
            try:
                merge = self.api.send("PUT", f"{path}/merge", body, done=done)
            except HostError as error:
                if error.status == _UNKNOWN:
                    raise self._not_ours(request) from error
                refusal, merge = error, self.api.get(path)
            if merge["state"] == "merged":
                return
            # What it calls mergeable and still refuses, such as by a push rule, is for good.
            in_vain += merge.get("detailed_merge_status") == "mergeable"
            late = in_vain > _MOST_IN_VAIN or time.monotonic() > until
            wait_or_raise(request, merge, refusal, late=late)
            time.sleep(_PAUSE_SECONDS)

    def _not_ours(self, request: Request) -> HostError:
        """GitLab's 401 to a merge: it knows us well, and does not let us."""
        return HostError(
            f"{self._host.name} does not let you merge into main",
            status=_UNKNOWN,
            code="forbidden",
            place=request.url,
            advice="ask a maintainer of the project",
        )

    def close(self, request: Request, commit: str) -> None:
        """Closes a request; its commits stay, as GitLab keeps them.

        Raises:
            RaceError: somebody else changed it.
            HostError: out of reach, or refused.
        """
        self._current(request)
        verb, _, reason = self._mirror.commit(commit).subject.partition(": ")
        self._comment(request, f"{verb}: {reason}")
        path = self.at(request.number)
        body = {"state_event": "close"} | ({"add_labels": REJECTED} if verb == "Reject" else {})

        def done() -> Any:
            merge = self.api.get(path)
            return merge if merge["state"] not in OPENED else None

        self.api.send("PUT", path, body, done=done)


def _shown(text: str) -> str:
    r"""Text that GitLab shows as it is: a line such as `/close` is no order.

    Example:
        >>> print(_shown("/close"))
        \/close
    """
    return _COMMAND.sub(r"\1\\/", text)
