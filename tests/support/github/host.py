"""A small stand-in for GitHub: its REST API and its git hosting, over real HTTP, with a memory.

Repositories are real bare ones behind the real `git http-backend`; merges are real merges. Every
API request and answer is held against GitHub's published description, and what is wrong with one
gathers in `violations`, which a test asserts to be empty. Not here: organisations, private
repositories, reviews, scopes of tokens, signatures by GitHub on merges, webhooks, pages.

Example::

    with GitHubHost(tmp_path / "github") as host:
        registry = host.repository("anna", "registry")
        ky = host.user("ky")
        requests.post(f"{host.api}/repos/anna/registry/forks", headers=host.headers(ky))
        subprocess.run(["git", "clone", host.clone_url("ky", "registry", ky)])
        assert host.violations == []
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from tests.support.github import checks, merging, pulls, repositories
from tests.support.github.contract import Contract
from tests.support.github.faults import Fault
from tests.support.github.git_http import GitDoor
from tests.support.github.login import Login
from tests.support.github.samples import Samples
from tests.support.github.server import Server
from tests.support.github.state import ROLES, Pull, Repo, Ruleset, Run, Status, User
from tests.support.github.views import Views
from tests.support.github.world import World

HANDLERS: Final = (checks, merging, pulls, repositories)
"""Importing them registers their routes."""
README: Final[Mapping[str, str]] = {"README.md": "# A repository\n"}
ACTIONS_ID: Final = 15368
"""The number of GitHub Actions as an app, which rulesets name."""
DEFAULT: Final = {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}}


class GitHubHost:
    """The host; serves until its block ends."""

    def __init__(self, folder: Path, contract: Contract | None = None) -> None:
        self.world = World(folder)
        self.contract = contract or Contract()
        self.views = Views(self.world, Samples(self.contract))
        self.git = GitDoor(self.world)
        self.login = Login(self.world)
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.violations: list[str] = []
        """What GitHub's description has against any request or answer so far."""
        self.log: list[tuple[str, str, int]] = []
        """Method, path (without /api/v3 and query) and status of each request."""
        self.errors: list[str] = []
        """What failed in here, such as `on_pull`; the block's end raises it."""
        self.faults: list[Fault] = []
        self.on_pull: Callable[[Repo, Pull], None] | None = None
        """Called in the serving thread after a pull request was opened or its head moved."""
        self.count = 0
        self._server = Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.world.url = self.url
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        if kind is None:
            assert not self.errors, "\n".join(self.errors)

    # --- addresses -------------------------------------------------------------------------

    @property
    def api(self) -> str:
        """Where the API is."""
        return self.world.api

    def clone_url(self, owner: str, name: str, user: User | None = None) -> str:
        """Where git finds a repository, with somebody's token in it if they are named."""
        url = f"{self.url}/{owner}/{name}.git"
        return url.replace("://", f"://x-access-token:{user.token}@") if user else url

    def headers(self, user: User) -> dict[str, str]:
        """With which somebody calls the API."""
        return {"Authorization": f"Bearer {user.token}", "User-Agent": "tests"}

    # --- people and repositories -------------------------------------------------------------

    def user(self, login: str, *, app: bool = False) -> User:
        """Somebody, or an app; made where missing."""
        with self.lock:
            return self.world.add_user(login, app=app)

    def repository(
        self,
        owner: str,
        name: str,
        files: Mapping[str, str] = README,
        *,
        source: Path | None = None,
    ) -> Repo:
        """A new repository: with these files on main, or a copy of one on disk."""
        with self.lock:
            return self.world.add_repo(owner, name, files, source=source)

    def find(self, owner: str, name: str) -> Repo:
        """A repository that is there."""
        found = self.world.find(owner, name)
        assert found, f"no {owner}/{name}"
        return found

    def collaborator(self, repo: Repo, login: str, role: str) -> User:
        """Gives somebody a role."""
        assert role in ROLES
        repo.collaborators[login] = role
        return self.user(login)

    def rename(self, owner: str, old: str, new: str) -> None:
        """Renames a repository; its old addresses redirect."""
        with self.lock:
            self.world.rename(owner, old, new)

    def delete(self, owner: str, name: str) -> None:
        """Deletes a repository."""
        with self.lock:
            self.world.delete(owner, name)

    def fork_takes(self, seconds: float) -> None:
        """How long a fork that was asked for cannot be used yet."""
        self.world.fork_seconds = seconds

    def mergeable_after(self, questions: int) -> None:
        """How often a new head's `mergeable` is null before it is known."""
        self.world.unknown_first = questions

    # --- what others do there ----------------------------------------------------------------

    def write(self, repo: Repo, branch: str, files: Mapping[str, str], message: str = "") -> str:
        """A commit with these top-level files, as if somebody with every right had pushed it."""
        with self.lock:
            commit = repo.disk.write(branch, files, message or f"Write {', '.join(files)}")
            news = self.world.follow(repo, repo.owner)
        self.tell(news)
        return commit

    def check_run(self, repo: Repo, sha: str, name: str, conclusion: str | None = "success") -> Run:
        """GitHub Actions report on a commit; still running where there is no conclusion."""
        app = self.user("github-actions", app=True)
        app.id = ACTIONS_ID
        status = "completed" if conclusion else "in_progress"
        with self.lock:
            repo.runs.append(Run(name, sha, app.login, app.id, status, conclusion))
        return repo.runs[-1]

    def status(self, repo: Repo, sha: str, context: str, state: str = "success") -> Status:
        """Some service sets a commit status."""
        with self.lock:
            repo.statuses.append(Status(context, sha, state))
        return repo.statuses[-1]

    def ruleset(
        self, repo: Repo, *rules: str | dict[str, Any], checks: tuple[str, ...] = ()
    ) -> Ruleset:
        """An active ruleset for main: rules by type or in full, and required checks by name."""
        full = [{"type": rule} if isinstance(rule, str) else rule for rule in rules]
        if checks:
            parameters = {
                "strict_required_status_checks_policy": False,
                "required_status_checks": [{"context": name} for name in checks],
            }
            full.append({"type": "required_status_checks", "parameters": parameters})
        made = Ruleset(f"rules {len(repo.rulesets) + 1}", "active", conditions=DEFAULT, rules=full)
        with self.lock:
            repo.rulesets[made.id] = made
        return made

    def authorize(self, user_code: str, login: str) -> None:
        """Somebody enters a device's code and agrees."""
        with self.lock:
            self.login.authorize(user_code, self.world.add_user(login))

    def deny(self, user_code: str) -> None:
        """Somebody enters a device's code and declines."""
        with self.lock:
            self.login.deny(user_code)

    # --- for the server ----------------------------------------------------------------------

    def strike(self, method: str, path: str) -> Fault | None:
        """The fault that meets a request, if any."""
        with self.lock:
            return next((fault for fault in self.faults if fault.strikes(method, path)), None)

    def tell(self, news: list[tuple[Repo, Pull]]) -> None:
        """Calls `on_pull`, without holding anything up that it may ask of the host itself."""
        if self.on_pull:
            for repo, pull in news:
                self.on_pull(repo, pull)
