"""Everything that the stand-in hosts, and what follows when something in it moves.

A push to a head branch moves `refs/pull/N/head` in the base repository; a head branch that goes
closes its pull request; a base branch that comes to contain a head merges it; a deleted fork
leaves its pull request with no head repository. Speaks no HTTP.

Example::

    world.add_user("ky")
    fork = world.fork(world.repos[0], world.users["ky"])
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.github.disk import Disk
from tests.support.github.state import Pull, Repo, User, now

_HOOK: Final = """#!/bin/sh
# What the server refused before, and what only the pushed objects can tell.
set -f
IFS='
'
for line in $MPGIT_REFUSED; do
  case "$line" in
  "$1 "*) echo "error: ${line#* }" >&2; exit 1 ;;
  esac
done
for ref in $MPGIT_FAST_FORWARD; do
  if [ "$ref" = "$1" ] && ! git merge-base --is-ancestor "$2" "$3"; then
    echo "error: GH013: Repository rule violations found for $1." >&2
    echo "- Cannot force-push to this branch" >&2
    exit 1
  fi
done
"""


class World:
    """Users, repositories, and their story."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.users: dict[str, User] = {}
        self.repos: list[Repo] = []
        self.moved: dict[tuple[str, str], Repo] = {}
        self.fork_seconds = 0.0
        self.unknown_first = 0
        """How often `mergeable` is null before it is known, for each new head."""
        self._apart: set[tuple[str, str]] = set()
        """Bases that are known not to contain a head."""
        self._trials: dict[tuple[str, str], str | None] = {}
        (folder / "repositories").mkdir(parents=True)
        (folder / "hooks").mkdir()
        hook = folder / "hooks" / "update"
        hook.write_text(_HOOK)
        hook.chmod(0o755)

    @property
    def api(self) -> str:
        """Where the API is."""
        return f"{self.url}/api/v3"

    # --- people and repositories ---------------------------------------------------------

    def add_user(self, login: str, *, app: bool = False) -> User:
        """Somebody; again the same, where they are there already."""
        if login not in self.users:
            token = ("ghs_" if app else "gho_") + secrets.token_hex(18)
            self.users[login] = User(login, token, app=app)
        return self.users[login]

    def by_token(self, token: str) -> User | None:
        """Whose token it is."""
        return next((user for user in self.users.values() if user.token == token), None)

    def add_repo(
        self,
        owner: str,
        name: str,
        files: Mapping[str, str],
        *,
        source: Path | None = None,
        parent: Repo | None = None,
        branch: str = "",
    ) -> Repo:
        """A repository, new or copied from a folder."""
        repo = Repo(self.add_user(owner), name, Disk(self.folder), parent)
        path = self.folder / "repositories" / f"{repo.id}.git"
        repo.disk = Disk.copy(source, path, branch=branch) if source else Disk.create(path, files)
        self.repos.append(repo)
        self.moved.pop((owner.lower(), name.lower()), None)
        return repo

    def find(self, owner: str, name: str) -> Repo | None:
        """The repository of this name that can be used; names know no case."""
        return next((r for r in self.repos if _key(r) == (owner.lower(), name.lower())), None)

    def find_moved(self, owner: str, name: str) -> Repo | None:
        """The repository that once had this name."""
        found = self.moved.get((owner.lower(), name.lower()))
        return found if found in self.repos else None

    def by_id(self, number: int) -> Repo | None:
        """The repository of this number."""
        return next((repo for repo in self.repos if repo.id == number), None)

    def fork(self, parent: Repo, user: User, name: str = "", *, branch: str = "") -> Repo:
        """Somebody's fork, the one that they have where they have one."""
        for repo in self.repos:
            if repo.owner is user and repo.parent is parent:
                return repo
        wanted = name or parent.name
        taken = {repo.name for repo in self.repos if repo.owner is user}
        free = next(n for n in (wanted, *(f"{wanted}-{k}" for k in range(1, 99))) if n not in taken)
        source = parent.disk.path
        fork = self.add_repo(user.login, free, {}, source=source, parent=parent, branch=branch)
        fork.ready_at = time.monotonic() + self.fork_seconds
        return fork

    def rename(self, owner: str, old: str, new: str) -> None:
        """Renames; the old name leads to the new one until somebody takes it."""
        repo = self.find(owner, old)
        assert repo, f"no {owner}/{old}"
        repo.name = new
        self.moved[owner.lower(), old.lower()] = repo

    def delete(self, owner: str, name: str) -> None:
        """Deletes a repository; pull requests from it stay, with no head repository."""
        gone = self.find(owner, name)
        assert gone, f"no {owner}/{name}"
        self.repos.remove(gone)
        for repo in self.repos:
            repo.parent = None if repo.parent is gone else repo.parent
            for pull in repo.pulls.values():
                pull.head_repo = None if pull.head_repo is gone else pull.head_repo

    # --- what follows ----------------------------------------------------------------------

    def follow(self, pushed: Repo, by: User | None) -> list[tuple[Repo, Pull]]:
        """After branches of a repository moved: the pull requests whose head moved with them."""
        news = []
        tips: dict[int, dict[str, str]] = {}
        for repo in self.repos:
            for pull in repo.pulls.values():
                if pull.state == "open" and pushed in (repo, pull.head_repo):
                    for each in (repo, pull.head_repo):
                        if each and each.id not in tips:
                            tips[each.id] = each.disk.refs()
                    if self._moved(repo, pull, tips, by):
                        news.append((repo, pull))
                    self._settle(repo, pull, tips[repo.id], by)
        return news

    def _moved(
        self, repo: Repo, pull: Pull, tips: Mapping[int, Mapping[str, str]], by: User | None
    ) -> bool:
        if not pull.head_repo:
            return False
        tip = tips[pull.head_repo.id].get(f"refs/heads/{pull.head_branch}")
        if tip is None:
            pull.close(by)
            return False
        if tip == pull.head_sha:
            return False
        repo.disk.take(pull.head_repo.disk, tip, f"refs/pull/{pull.number}/head")
        pull.head_sha, pull.updated_at, pull.unknown = tip, now(), self.unknown_first
        return True

    def _settle(self, repo: Repo, pull: Pull, tips: Mapping[str, str], by: User | None) -> None:
        """A base that contains the head has merged it, whoever moved it."""
        base = tips.get(f"refs/heads/{pull.base}")
        if pull.state == "closed" or base is None or (base, pull.head_sha) in self._apart:
            return
        if repo.disk.contains(base, pull.head_sha):
            pull.close(by, base)
        else:
            self._apart.add((base, pull.head_sha))

    def trial(self, repo: Repo, pull: Pull) -> str | None:
        """GitHub's own trial merge of an open pull request; None where it conflicts."""
        base = repo.disk.tip(pull.base)
        assert base, f"no {pull.base}"
        key = (base, pull.head_sha)
        if key not in self._trials:
            tree = repo.disk.merged_tree(*key)
            message = f"Merge {pull.head_sha} into {base}"
            commit = tree and repo.disk.commit(tree, [*key], message, pull.user.author)
            if commit:
                repo.disk.git("update-ref", f"refs/pull/{pull.number}/merge", commit)
            self._trials[key] = commit
        return self._trials[key]


def _key(repo: Repo) -> tuple[str, str]:
    return repo.owner.login.lower(), repo.name.lower()
