"""A small stand-in for GitLab: its REST API and its git hosting, over real HTTP, with a memory.

Projects are real bare repositories behind the real `git http-backend`; merges are real merges.
Every API request is held against a table of GitLab's documented parameters, and what is wrong with
one gathers in `violations`, which a test asserts to be empty. Not here: groups with members of
their own, approvals, discussions, jobs, scopes of tokens, protected branches but main.

Example::

    with GitLabHost(tmp_path / "gitlab") as host:
        registry = host.project("anna", "anna/registry")
        ky = host.user("ky")
        subprocess.run(["git", "clone", host.clone_url("anna/registry", ky)])
        assert host.violations == []
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from tests.support.gitlab.faults import Fault
from tests.support.gitlab.git_http import GitDoor
from tests.support.gitlab.routes import Routes
from tests.support.gitlab.server import Server
from tests.support.gitlab.state import Pipeline, Project, User
from tests.support.gitlab.world import World

README: Final[Mapping[str, str]] = {"README.md": "# A project\n"}


class GitLabHost:
    """The host; serves until its block ends."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.routes = Routes(self.world)
        self.git = GitDoor(self.world)
        self.lock = threading.RLock()
        self.violations: list[str] = []
        """What is wrong with any request so far."""
        self.log: list[tuple[str, str, int]] = []
        """Method, path (without /api/v4 and query) and status of each request."""
        self.errors: list[str] = []
        """What failed in here; the block's end raises it."""
        self.faults: list[Fault] = []
        self._server = Server(self)
        self.url = self.world.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        if kind is None:
            assert not self.errors, "\n".join(self.errors)

    @property
    def api(self) -> str:
        """Where the API is."""
        return f"{self.url}/api/v4"

    def clone_url(self, path: str, user: User | None = None) -> str:
        """Where git finds a project, with somebody's token in it if they are named."""
        url = f"{self.url}/{path}.git"
        return url.replace("://", f"://oauth2:{user.token}@") if user else url

    # --- people and projects -----------------------------------------------------------------

    def user(self, username: str) -> User:
        """Somebody; made where missing."""
        with self.lock:
            return self.world.user(username)

    def project(self, owner: str, path: str, files: Mapping[str, str] = README) -> Project:
        """A new project with these files on main."""
        with self.lock:
            return self.world.create(owner, path, files)

    def member(self, project: Project, username: str, level: int) -> User:
        """Gives somebody a role."""
        user = self.user(username)
        project.members[user.id] = level
        return user

    def find(self, path: str) -> Project:
        """A project that is there."""
        found = self.world.find(path)
        assert found, f"no {path}"
        return found

    # --- what others do there ----------------------------------------------------------------

    def write(self, project: Project, branch: str, files: Mapping[str, str]) -> str:
        """A commit with these top-level files, as if somebody with every right had pushed it."""
        with self.lock:
            commit = project.disk.write(branch, files, f"Write {', '.join(files)}")
            self.world.follow(project)
        return commit

    def pipeline(self, project: Project, sha: str, status: str = "success") -> Pipeline:
        """Jobs ran, or run, on a commit."""
        with self.lock:
            project.pipelines.append(Pipeline(sha, status))
        return project.pipelines[-1]

    # --- for the server ----------------------------------------------------------------------

    def strike(self, method: str, path: str) -> Fault | None:
        """The fault that meets a request, if any."""
        with self.lock:
            return next((fault for fault in self.faults if fault.strikes(method, path)), None)
