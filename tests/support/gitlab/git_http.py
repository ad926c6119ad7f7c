"""Git's smart HTTP for hosted projects, through the real `git http-backend`.

Everybody reads what is public. Who pushes is a developer, or may merge a merge request whose author
lets such people push to its branch; to main push maintainers alone.

Example::

    git -c http.extraheader="Authorization: Basic …" push http://127.0.0.1:…/ky/registry.git x
"""

from __future__ import annotations

import gzip
import re
import subprocess
from email.message import Message
from typing import Final

from tests.support.github.disk import environment
from tests.support.github.git_http import commands
from tests.support.gitlab.answers import Answer
from tests.support.gitlab.state import DEVELOPER, MAINTAINER, PROTECTED, Project, User
from tests.support.gitlab.world import World

PATH: Final = re.compile(r"/(.+?)(?:\.git)?(/info/refs|/git-upload-pack|/git-receive-pack)")
_HEADS: Final = "refs/heads/"


class GitDoor:
    """Answers git."""

    def __init__(self, world: World) -> None:
        self._world = world

    def answer(
        self, method: str, path: str, query: str, headers: Message, body: bytes, user: User | None
    ) -> Answer:
        """What git gets."""
        match = PATH.fullmatch(path)
        project = self._world.find(match[1]) if match else None
        if match is None or project is None or not project.sees(user) or not project.ready:
            return _denied() if user is None else _text(404, "The project could not be found.")
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        pushes = "git-receive-pack" in (path.rpartition("/")[2], query.removeprefix("service="))
        if pushes:
            if user is None:
                return _denied()
            if refused := self._refused(project, user, body if method == "POST" else b""):
                return _text(403, refused)
        made = _backend(project, match[2], method, query, headers, body)
        if pushes and method == "POST":
            self._world.follow(project)
        return made

    def _refused(self, project: Project, user: User, body: bytes) -> str:
        """Why a push is refused; "" where it is not."""
        level = project.level(user)
        lent = set(self._lent(project, user))
        if level < DEVELOPER and not lent:
            return "You are not allowed to push code to this project."
        for _, _, ref in commands(body):
            name = ref.removeprefix(_HEADS)
            if level < DEVELOPER and name not in lent:
                return "You are not allowed to push code to this project."
            if name == PROTECTED and level < MAINTAINER:
                return "You are not allowed to push code to protected branches on this project."
        return ""

    def _lent(self, project: Project, user: User) -> list[str]:
        """Branches of a fork that somebody who may merge them may push to."""
        return [
            merge.source_branch
            for target in self._world.projects
            if target.level(user) >= MAINTAINER
            for merge in target.merges.values()
            if merge.source is project and merge.state == "opened" and merge.allow_collaboration
        ]


def _backend(
    project: Project, rest: str, method: str, query: str, headers: Message, body: bytes
) -> Answer:
    env = {
        **environment(),
        "GIT_PROJECT_ROOT": str(project.disk.path.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": headers.get("Git-Protocol", ""),
        "PATH_INFO": f"/{project.disk.path.name}{rest}",
        "REQUEST_METHOD": method,
        "QUERY_STRING": query,
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_USER": "somebody",
    }
    words = ["git", "http-backend"]
    done = subprocess.run(words, env=env, input=body, capture_output=True, check=False)
    head, _, payload = done.stdout.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
    status = int(fields.pop("Status", "200").split()[0])
    return Answer(status, payload, fields, fields.pop("Content-Type", "text/plain"))


def _denied() -> Answer:
    answer = _text(401, "HTTP Basic: Access denied")
    answer.headers["WWW-Authenticate"] = 'Basic realm="GitLab"'
    return answer


def _text(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), {}, "text/plain; charset=utf-8")
