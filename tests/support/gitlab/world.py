"""Everything that the stand-in hosts, and what follows when something in it moves.

A push to a source branch moves `refs/merge-requests/N/head` in the target project, at once or some
looks later; main that comes to hold a head merges it; a deleted fork leaves its merge request
without a source project. Speaks no HTTP.

Example::

    world.fork(world.find("anna/registry"), world.user("ky"))
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.github.disk import Disk
from tests.support.gitlab.state import Merge, Project, User, now


class World:
    """Users, projects, and their story."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.users: dict[str, User] = {}
        self.projects: list[Project] = []
        self.moved: dict[str, Project] = {}
        self.fork_seconds = 0.0
        self.fork_fails = False
        self.unseen = 0
        """How many looks at a merge request it takes until it follows a push."""
        self.checking = 0
        """How many looks it takes after a push until the host knows if it can be merged."""
        (folder / "repositories").mkdir(parents=True)
        (folder / "hooks").mkdir()

    def user(self, username: str) -> User:
        """Somebody; again the same, where they are there already."""
        if username not in self.users:
            self.users[username] = User(username, f"glpat-{secrets.token_urlsafe(15)}")
        return self.users[username]

    def by_token(self, token: str) -> User | None:
        """Whose token it is."""
        return next((user for user in self.users.values() if user.token == token), None)

    def create(self, owner: str, path: str, files: Mapping[str, str]) -> Project:
        """A project with one commit on main; `path` may lead through groups."""
        disk = Disk.create(self._folder(), files)
        return self._add(Project(self.user(owner), path, disk))

    def fork(self, parent: Project, user: User) -> Project:
        """Somebody's new fork of main."""
        path = f"{user.username}/{parent.path.rpartition('/')[2]}"
        disk = Disk.copy(parent.disk.path, self._folder(), branch="main")
        fork = self._add(Project(user, path, disk, parent))
        fork.ready_at = time.monotonic() + self.fork_seconds
        return fork

    def _folder(self) -> Path:
        return self.folder / "repositories" / f"{len(list(self._repositories()))}.git"

    def _repositories(self) -> list[Path]:
        return list((self.folder / "repositories").iterdir())

    def _add(self, project: Project) -> Project:
        project.disk.git("config", "receive.hideRefs", "refs/merge-requests")
        self.projects.append(project)
        return project

    def find(self, key: str) -> Project | None:
        """A project by its number or its path, also by one that it once had."""
        if key.isdigit():
            return next((each for each in self.projects if each.id == int(key)), None)
        found = next((p for p in self.projects if p.path.lower() == key.lower()), None)
        return found or self.moved.get(key.lower())

    def rename(self, project: Project, path: str) -> None:
        """Renames; the old path leads to the new one."""
        self.moved[project.path.lower()] = project
        project.path = path

    def delete(self, project: Project) -> None:
        """Deletes a project; merge requests from it stay, without a source."""
        self.projects.remove(project)
        for other in self.projects:
            for merge in other.merges.values():
                merge.source = None if merge.source is project else merge.source

    # --- what follows ----------------------------------------------------------------------

    def follow(self, pushed: Project) -> None:
        """After branches of a project moved."""
        for project in self.projects:
            for merge in project.merges.values():
                if merge.state == "opened" and pushed in (project, merge.source):
                    self._follow(project, merge)

    def _follow(self, project: Project, merge: Merge) -> None:
        tip = merge.source and merge.source.disk.tip(merge.source_branch)
        if tip and tip not in (merge.sha, merge.following):
            merge.following, merge.unseen = tip, self.unseen
            if not merge.unseen:
                self.take(project, merge)
        main = project.disk.tip(merge.target_branch)
        if main and project.disk.contains(main, merge.sha):
            merge.state, merge.merge_commit_sha, merge.updated_at = "merged", main, now()

    def take(self, project: Project, merge: Merge) -> None:
        """The host sees what was pushed."""
        if merge.source and merge.following:
            ref = f"refs/merge-requests/{merge.iid}/head"
            project.disk.take(merge.source.disk, merge.following, ref)
            merge.sha, merge.following = merge.following, None
            merge.checking, merge.updated_at = self.checking, now()

    def look(self, project: Project, merge: Merge) -> None:
        """Somebody looks, and the host works meanwhile."""
        merge.checking = max(0, merge.checking - 1)
        if merge.following:
            merge.unseen -= 1
            if merge.unseen <= 0:
                self.take(project, merge)
