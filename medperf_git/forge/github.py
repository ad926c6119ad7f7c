"""Requests on GitHub, and on GitHub Enterprise Server: a pull request each.

Who may write pushes a branch of the repository itself, everybody else one of a fork. Main is merged
by GitHub, from a head that already holds main, so that what it makes has the tree that was judged.
Everything can be done again after a lost answer. Judges nothing, and believes nothing: what comes
of it is audited like any other main.

Example::

    forge = GitHubForge(mirror, url, recognise(url), find_token)
    [request.id for request in forge.requests()]
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from medperf_git.errors import AwaitingError, GitError, HostError, InputError, RaceError
from medperf_git.forge.base import (
    MAIN,
    NOT_OURS,
    OPEN,
    Draft,
    Request,
    branch,
    push_surely,
    request_exists,
)
from medperf_git.forge.github_pulls import HEADS, PAGE, REJECTED, GitHubPulls
from medperf_git.forge.login_host import one_line

_FORK_SECONDS: Final = 120.0
_CHECK_SECONDS: Final = 1200.0
_PAUSE_SECONDS: Final = 2.0
_FOLLOW_SECONDS: Final = 30.0

_NOT_ALLOWED, _MOVED, _REFUSED = 405, 409, 422
_WAITING: Final = ("status check", "expected", "pending", "in progress", "queued")
_BEHIND: Final = ("base branch was modified", "out of date", "out-of-date", "not up to date")


class GitHubForge(GitHubPulls):
    """Requests as pull requests of one repository."""

    # --- opening -----------------------------------------------------------------------------

    def open(self, draft: Draft) -> Request:
        """Opens a request: from a branch here, or of a fork where we may not write here.

        Raises:
            InputError: `request-exists`: one with this id is open already; `login`.
            HostError, GitError: out of reach, or refused; the same call goes on from there.
        """
        ref = branch(draft.id)
        project = self._where_to_push()
        owner, name = project.partition("/")[0], ref.removeprefix(HEADS)
        address = self._address(project)
        there = self._mirror.remote_ref(address, ref)
        opened = self._opened(owner, name)
        if opened is not None and there != draft.commit:
            raise request_exists(draft.id)
        if there != draft.commit:
            # What stands there without a request was left by a client that died, or was closed.
            try:
                push_surely(self._mirror, address, draft.commit, ref, there)
            except RaceError as error:
                raise request_exists(draft.id) from error
        pull = opened or self._created(draft, owner, name)
        self._label(int(pull["number"]), draft.labels)
        self._keep(int(pull["number"]), draft.commit)
        return self._request(pull, {int(pull["number"]): draft.commit})

    def _created(self, draft: Draft, owner: str, name: str) -> Any:
        body = {
            "title": draft.title,
            "body": draft.body,
            "head": f"{owner}:{name}",
            "base": "main",
            "maintainer_can_modify": True,
        }
        try:
            return self.api.send(
                "POST", f"{self.path}/pulls", body, done=lambda: self._opened(owner, name)
            )
        except HostError as error:
            opened = self._opened(owner, name) if error.status == _REFUSED else None
            if opened is None:
                raise
            return opened

    def _opened(self, owner: str, name: str) -> Any:
        """The open pull request from a branch, if there is one."""
        found = self.api.get(f"{self.path}/pulls", state="open", head=f"{owner}:{name}")
        return next((pull for pull in found if pull["head"]["ref"] == name), None)

    def _where_to_push(self) -> str:
        """The repository that our branches go to: this one, or our fork of it."""
        me = self._me
        return self._host.project if self._may_write() else self._fork(me)

    def _fork(self, me: str) -> str:
        """Our fork, made if there is none: GitHub makes it later than it says so."""
        made = self.api.send("POST", f"{self.path}/forks", {"default_branch_only": True})
        project = str(made["full_name"])
        if project.partition("/")[0].lower() != me.lower() or project.count("/") != 1:
            raise HostError(f"a fork for another: {one_line(project)}", place=self._url)
        address = self._address(project)
        until = time.monotonic() + _FORK_SECONDS
        self._tell(f"waiting for the fork {project}")
        while True:
            try:
                self._mirror.remote_ref(address, MAIN)
            except GitError as error:
                if time.monotonic() > until:
                    raise HostError(
                        f"the fork {project} is not there yet",
                        code="fork-missing",
                        place=address,
                        advice="nothing is lost; `mpgit registry sync` goes on from here",
                    ) from error
                time.sleep(_PAUSE_SECONDS)
            else:
                return project

    def _label(self, number: int, labels: Iterable[str]) -> None:
        """Labels, where we may give any: outsiders may not, and nothing depends on them."""
        if labels := list(labels):
            with suppress(HostError):
                self.api.send("POST", f"{self.path}/issues/{number}/labels", {"labels": labels})

    # --- adding ------------------------------------------------------------------------------

    def update(self, request: Request, commit: str) -> Request:
        """Makes a commit a request's newest; where we may not, a request that holds this one.

        Raises:
            RaceError: somebody else changed it first.
            HostError, GitError: out of reach, or refused.
        """
        pull = self._current(request)
        ref, project = str(pull["head"]["ref"]), _project(pull)
        if project is not None:
            try:
                address = self._address(project)
                push_surely(self._mirror, address, commit, HEADS + ref, request.head)
            except GitError as error:
                if error.code not in NOT_OURS or project.partition("/")[0] == self._me:
                    raise
            else:
                self._keep(int(pull["number"]), commit)
                return replace(request, head=commit)
        return self._beside(request, commit)

    def _current(self, request: Request) -> Any:
        """The pull request as it is now, once the host has seen the newest push.

        Raises:
            RaceError: it has another head than the request.
        """
        self._me  # noqa: B018 (only who is known can change anything)
        until = time.monotonic() + _FOLLOW_SECONDS
        while True:
            pull = self.api.get(f"{self.path}/pulls/{request.number}")
            if pull["state"] != "open":
                raise InputError(
                    f"the request {request.id} was closed", code="request-closed", place=request.url
                )
            if pull["head"]["sha"] == request.head:
                return pull
            # A pull request follows its branch some moments after the push.
            project, ref = _project(pull), HEADS + str(pull["head"]["ref"])
            late = time.monotonic() > until
            if (
                late
                or project is None
                or self._mirror.remote_ref(self._address(project), ref) != request.head
            ):
                raise RaceError(f"somebody else changed {request.id}", place=request.url)
            time.sleep(_PAUSE_SECONDS)

    def _comment(self, request: Request, text: str) -> None:
        with suppress(HostError):
            path = f"{self.path}/issues/{request.number}/comments"
            self.api.send("POST", path, {"body": text})

    # --- ending ------------------------------------------------------------------------------

    def merge(self, request: Request, main: str, commit: str) -> str:
        """Has GitHub merge exactly the head that was judged, once it holds main and is green.

        Raises:
            RaceError: main or the request moved.
            AwaitingError: the check of the host is red, or did not come in time.
            HostError, GitError: out of reach, or refused.
        """
        planned = self._mirror.commit(commit)
        request = self._holding_main(request, main, planned.tree)
        pull = self._current(request)
        self._merge_when_green(request, main, planned.message)
        self.fetch()
        merged = self.main() or ""
        self._remove_branch(pull, request.head)
        return merged

    def _merge_when_green(self, request: Request, main: str, message: str) -> None:
        title, _, text = message.partition("\n\n")
        path = f"{self.path}/pulls/{request.number}"
        body = {
            "sha": request.head,
            "merge_method": "merge",
            "commit_title": title,
            "commit_message": text.strip(),
        }

        def done() -> Any:
            return {"merged": True} if self.api.get(path).get("merged") else None

        until = time.monotonic() + _CHECK_SECONDS
        while True:
            # Without a ruleset GitHub asks for the head alone: main could have moved meanwhile.
            if self._mirror.remote_ref(self._url, MAIN) != main and done() is None:
                raise RaceError("main moved", place=request.url)
            try:
                self.api.send("PUT", f"{path}/merge", body, done=done)
            except HostError as error:
                self._wait_for_check(request, error, until)
            else:
                return

    def _wait_for_check(self, request: Request, refusal: HostError, until: float) -> None:
        """Returns where trying again may help.

        Raises:
            RaceError: main or the request moved.
            AwaitingError: a check failed, or none came in time.
            HostError: refused for good.
        """
        said = refusal.message.lower()
        behind = any(word in said for word in _BEHIND)
        if refusal.status == _MOVED or (refusal.status == _NOT_ALLOWED and behind):
            raise RaceError(f"main or {request.id} moved", place=request.url) from refusal
        if refusal.status != _NOT_ALLOWED or not any(word in said for word in _WAITING):
            raise refusal
        runs = self.api.get(f"{self.path}/commits/{request.head}/check-runs", per_page=PAGE)
        failed = [
            str(run["name"])
            for run in runs.get("check_runs", ())
            if run.get("conclusion") in ("failure", "cancelled", "timed_out", "action_required")
        ]
        if failed or time.monotonic() > until:
            names = ", ".join(sorted(set(map(one_line, failed))))
            raise AwaitingError(
                f"the host's check is red: {names}" if failed else "the host's check did not come",
                code="check-failed" if failed else "check-missing",
                place=request.url,
                advice="see its summary there; `mpgit request check` judges it here",
            ) from refusal
        time.sleep(_PAUSE_SECONDS)

    def _remove_branch(self, pull: Any, head: str) -> None:
        """Its commits are in main: as on a plain server, the branch has done its work."""
        project = _project(pull)
        if project is not None:
            with suppress(GitError):
                ref = HEADS + str(pull["head"]["ref"])
                if ref.startswith(OPEN):
                    self._mirror.push(self._address(project), [("", ref, head)])

    def close(self, request: Request, commit: str) -> None:
        """Closes a request; its commits stay, as GitHub keeps them.

        Raises:
            RaceError: somebody else changed it.
            HostError: out of reach, or refused.
        """
        self._current(request)
        verb, _, reason = self._mirror.commit(commit).subject.partition(": ")
        if verb == "Reject":
            self._label(int(request.number or 0), [REJECTED])
        self._comment(request, f"{verb}: {reason}")
        path = f"{self.path}/pulls/{request.number}"

        def done() -> Any:
            pull = self.api.get(path)
            return pull if pull["state"] == "closed" else None

        self.api.send("PATCH", path, {"state": "closed"}, done=done)


def _project(pull: Mapping[str, Any]) -> str | None:
    """The repository that a pull request's branch is in; None where it was deleted."""
    repository = pull["head"].get("repo")
    return str(repository["full_name"]) if repository else None
