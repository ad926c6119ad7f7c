"""Somebody who works with a registry on the stand-in: a mirror, and the forge that is tested.

Example::

    with serving(tmp_path, monkeypatch) as host:
        anna = Client(tmp_path / "anna.git", host, host.user("anna"))
        anna.forge.open(anna.draft())
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medperf_git.forge import gitlab, gitlab_api
from medperf_git.forge.base import TRAILER, Draft, Request
from medperf_git.forge.gitlab import GitLabForge
from medperf_git.forge.hosts import recognise
from medperf_git.forge.secret import Secret
from medperf_git.store.change import write_files
from medperf_git.vcs import Repository
from tests.support.gitlab.host import GitLabHost
from tests.support.gitlab.state import Merge, Project, User

WHO = ("Test", "test@example.org")
REGISTRY = "clinics/north/registry"


class Client:
    """Somebody's mirror of the registry, and their way to the host."""

    def __init__(self, folder: Path, host: GitLabHost, user: User | None) -> None:
        self.host, self.user = host, user
        self.mirror = Repository.create(folder)
        self.url = host.clone_url(REGISTRY)
        token = None if user is None else Secret(user.token)
        self.said: list[str] = []
        found = recognise(self.url, "gitlab")
        self.forge = GitLabForge(self.mirror, self.url, found, lambda: token, self.said.append)
        self.forge.fetch()

    @property
    def main(self) -> str:
        main = self.forge.main()
        assert main
        return main

    def commit(self, message: str, *parents: str, **files: bytes) -> str:
        base = self.mirror.commit(parents[0]).tree
        tree = write_files(self.mirror, base, files)
        return self.mirror.write_commit(tree, parents, message, WHO)

    def draft(self, slug: str = "x-1", **files: bytes) -> Draft:
        participant = self.user.username if self.user else "nobody"
        commit = self.commit("Add x", self.main, **(files or {"x": b"1"}))
        return Draft(f"{participant}/{slug}", commit, "Add x", "What it asks.", ("dataset",))

    def merged(self, request: Request, **files: bytes) -> str:
        """The merge commit that a workflow would make."""
        files = files or {"x": b"1"}
        text = f"{request.title}\n\n{TRAILER}{request.id}\n"
        return self.commit(text, self.main, request.head, **files)

    def merge(self, request: Request, **files: bytes) -> str:
        return self.forge.merge(request, self.main, self.merged(request, **files))


@contextmanager
def serving(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLabHost]:
    """A host with the registry of anna, asked without long pauses, by documented calls alone."""
    monkeypatch.setattr(gitlab, "_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(gitlab_api, "_PAUSE_SECONDS", 0.02)
    with GitLabHost(folder / "gitlab") as host:
        host.project("anna", REGISTRY)
        yield host
        assert host.violations == []


def only(registry: Project) -> Merge:
    (merge,) = registry.merges.values()
    return merge
