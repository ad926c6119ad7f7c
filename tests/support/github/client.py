"""Somebody who uses the stand-in as a plain client: `requests` for the API, git for the rest.

Example::

    ky = Person(host, "ky", tmp_path)
    ky.get("/user").json()["login"]
    ky.push("ky", "result", "result.yaml")      # a commit on top of main, to a branch of ky's fork
"""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path
from typing import Any, Final

import requests

from tests.support.github.disk import environment
from tests.support.github.host import GitHubHost

SECONDS: Final = 10


class Person:
    """Somebody with a token and a working copy."""

    def __init__(self, host: GitHubHost, login: str, folder: Path, *, app: bool = False) -> None:
        self.host = host
        self.user = host.user(login, app=app)
        self.folder = folder / login

    def get(self, path: str, **more: Any) -> requests.Response:
        """GET, of a path below the API or of a whole address."""
        return self._ask("GET", path, None, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        """POST."""
        return self._ask("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        """PUT."""
        return self._ask("PUT", path, body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        """PATCH."""
        return self._ask("PATCH", path, body, **more)

    def push(
        self,
        owner: str,
        branch: str,
        file: str,
        *,
        name: str = "registry",
        how: str = "",
        size: int = 1,
        fails: bool = False,
    ) -> str:
        """Commits a file and pushes that; returns what git says.

        The commit is on top of the branch where it is there, of main otherwise. `how` is
        `delete`, `force` for a commit that starts anew, or `same` for the one pushed last.
        """
        url = self.host.clone_url(owner, name, self.user)
        ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
        if how == "delete":
            self._begin()
            return self._git(["push", url, f":{ref}"], fails=fails)
        if how != "same":
            self._commit(owner, name, branch, file, size, anew=how == "force")
        force = ["--force"] if how == "force" else []
        return self._git(["push", *force, url, f"HEAD:{ref}"], fails=fails)

    def git(self, *words: str) -> str:
        """Any git command in the working copy; returns what it prints."""
        self._begin()
        done = self._run(list(words))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _commit(
        self, owner: str, name: str, branch: str, file: str, size: int, *, anew: bool
    ) -> None:
        self._begin()
        url = self.host.clone_url(owner, name)
        for each in [] if anew else [branch, "main"]:
            done = self._run(["fetch", "--quiet", url, each])
            if done.returncode == 0:
                self._git(["checkout", "--quiet", "--detach", "--force", "FETCH_HEAD"])
                break
        else:
            self._run(["checkout", "--quiet", "--orphan", "anew"])
        text = f"{file} of {self.user.login}\n" if size == 1 else _noise(size)
        (self.folder / file.replace("/", "-")).write_text(text)
        self._git(["add", "--all"])
        self._git(["commit", "--quiet", "--allow-empty", "--message", f"Add {file}"])

    def _begin(self) -> None:
        if not self.folder.exists():
            self.folder.mkdir()
            self._git(["init", "--quiet", "--template=", "."])

    def _git(self, words: list[str], *, fails: bool = False) -> str:
        done = self._run(words)
        assert bool(done.returncode) == fails, done.stderr
        return done.stderr

    def _run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        who = ["-c", f"user.name={self.user.login}", "-c", f"user.email={self.user.login}@example"]
        env = {**environment(), "GIT_TERMINAL_PROMPT": "0"}
        return subprocess.run(
            ["git", *who, *words],
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    def _ask(self, method: str, path: str, body: Any, **more: Any) -> requests.Response:
        url = path if path.startswith("http") else self.host.api + path
        settings = {"headers": self.host.headers(self.user), **more}
        timeout = settings.pop("timeout", SECONDS)
        return requests.request(method, url, json=body, timeout=timeout, **settings)


def pull_from_fork(person: Person, **more: Any) -> dict[str, Any]:
    """Somebody forks anna's registry, pushes a branch, and opens a pull request."""
    here, login = "/repos/anna/registry", person.user.login
    assert person.post(f"{here}/forks").status_code == 202
    person.push(login, "result", "result.yaml")
    body = {"title": "A result", "head": f"{login}:result", "base": "main", **more}
    answer = person.post(f"{here}/pulls", body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _noise(size: int) -> str:
    """Text that does not compress well."""
    return secrets.token_hex(size // 2)
