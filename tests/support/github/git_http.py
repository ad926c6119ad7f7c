"""Git's smart HTTP for hosted repositories, through the real `git http-backend`.

Everybody reads. Who pushes needs write access, or a pull request whose author lets maintainers
modify its branch, and then that branch alone. A push that a ruleset forbids is refused by git
itself, by a hook that is told what is forbidden. Checks required on a branch hold for pushes, too.

Example::

    git -c http.extraheader="Authorization: Basic …" push http://127.0.0.1:…/ky/registry.git x
"""

from __future__ import annotations

import gzip
import re
import subprocess
from collections.abc import Iterator, Mapping
from email.message import Message
from typing import Final

from tests.support.github.answers import Answer
from tests.support.github.disk import ZERO, environment
from tests.support.github.state import Repo, User
from tests.support.github.world import World

PATH: Final = re.compile(
    r"/([^/]+)/([^/]+?)(?:\.git)?(/info/refs|/git-upload-pack|/git-receive-pack)"
)
_HEADS: Final = "refs/heads/"
_VIOLATION: Final = "GH013: Repository rule violations found for"


class GitDoor:
    """Answers git."""

    def __init__(self, world: World) -> None:
        self._world = world

    def find(self, path: str, query: str) -> Repo | Answer:
        """The repository that a path is for, or what to say instead."""
        match = PATH.fullmatch(path)
        if match is None:
            return _text(404, "Not Found")
        owner, name, rest = match.groups()
        repo = self._world.find(owner, name)
        if repo is None and (moved := self._world.find_moved(owner, name)):
            url = f"{self._world.url}/{moved.full_name}.git{rest}"
            url += f"?{query}" if query else ""
            answer = _text(301, "Moved Permanently")
            answer.headers["Location"] = url
            return answer
        return repo if repo and repo.ready else _text(404, "Repository not found.")

    def answer(
        self,
        repo: Repo,
        method: str,
        path: str,
        query: str,
        headers: Message,
        body: bytes,
        user: User | None,
    ) -> Answer:
        """What git gets."""
        env = {"REMOTE_USER": user.login} if user else {}
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if "git-receive-pack" in (path.rpartition("/")[2], query.removeprefix("service=")):
            if refused := self._refused(repo, user):
                return refused
            if method == "POST" and user:
                env |= self._limits(repo, user, body)
        return _backend(repo, method, path, query, headers, body, env)

    def _refused(self, repo: Repo, user: User | None) -> Answer | None:
        if user is None:
            answer = _text(401, "No anonymous write access.")
            answer.headers["WWW-Authenticate"] = 'Basic realm="GitHub"'
            return answer
        if repo.archived:
            return _text(403, "This repository was archived so it is read-only.")
        if repo.allows(user, "write") or any(self._modifiable(repo, user)):
            return None
        return _text(403, f"Permission to {repo.full_name}.git denied to {user.login}.")

    def _modifiable(self, repo: Repo, user: User) -> Iterator[str]:
        """Branches that somebody may push to because a pull request's author lets maintainers."""
        for base in self._world.repos:
            if base.allows(user, "write"):
                for pull in base.pulls.values():
                    here = pull.head_repo is repo and pull.state == "open"
                    if here and pull.maintainer_can_modify:
                        yield pull.head_branch

    def _limits(self, repo: Repo, user: User, body: bytes) -> dict[str, str]:
        """What the hook of a repository is told."""
        refused, forward = [], []
        branches = set(self._modifiable(repo, user))
        for old, new, ref in commands(body):
            branch = ref.removeprefix(_HEADS)
            if not repo.allows(user, "write") and (branch == ref or branch not in branches):
                refused.append(f"{ref} Permission to {repo.full_name}.git denied to {user.login}.")
            if branch == ref:
                continue
            kinds = {rule["type"] for _, rule in repo.rules(branch, user)}
            texts = list(_violations(repo, user, branch, old, new))
            refused += [f"{ref} {_VIOLATION} {ref}. - {text}" for text in texts]
            if "non_fast_forward" in kinds and ZERO not in (old, new):
                forward.append(ref)
        return {"MPGIT_REFUSED": "\n".join(refused), "MPGIT_FAST_FORWARD": "\n".join(forward)}


def _violations(repo: Repo, user: User, branch: str, old: str, new: str) -> Iterator[str]:
    """GitHub's words for what the rules say against a push, but for forced ones."""
    for _, rule in repo.rules(branch, user):
        kind = rule["type"]
        if kind == "deletion" and new == ZERO:
            yield "Cannot delete this branch"
        elif kind == "creation" and old == ZERO:
            yield "Cannot create ref due to creations being restricted."
        elif ZERO in (old, new):
            continue
        elif kind == "update":
            yield "Cannot update this protected ref."
        elif kind == "pull_request":
            yield "Changes must be made through a pull request."
        elif kind == "required_status_checks":
            yield from repo.missing_checks(rule, new)


def commands(body: bytes) -> Iterator[tuple[str, str, str]]:
    """The (old, new, ref) that a push asks for."""
    at = 0
    while (size := int(body[at : at + 4] or b"0", 16)) > 4:
        line = body[at + 4 : at + size].split(b"\0")[0].decode().strip()
        at += size
        old, new, ref = line.split(" ", 2)
        yield old, new, ref


def _backend(
    repo: Repo,
    method: str,
    path: str,
    query: str,
    headers: Message,
    body: bytes,
    more: Mapping[str, str],
) -> Answer:
    match = PATH.fullmatch(path)
    assert match
    env = {
        **environment(),
        "GIT_PROJECT_ROOT": str(repo.disk.path.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": headers.get("Git-Protocol", ""),
        "PATH_INFO": f"/{repo.disk.path.name}{match[3]}",
        "REQUEST_METHOD": method,
        "QUERY_STRING": query,
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": "127.0.0.1",
        **more,
    }
    done = subprocess.run(
        ["git", "http-backend"], env=env, input=body, capture_output=True, check=False
    )
    head, _, payload = done.stdout.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
    status = int(fields.pop("Status", "200").split()[0])
    kind = fields.pop("Content-Type", "text/plain")
    return Answer(status, payload, fields, kind)


def _text(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), {}, "text/plain; charset=utf-8")
