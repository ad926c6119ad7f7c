"""What the stand-in knows: people, projects, merge requests, pipelines.

Plain data and the questions that it answers by itself. No HTTP, no JSON: `views` makes that.

Example::

    project.level(user)         # 30: a developer
    project.merges[1].state     # "opened"
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from tests.support.github.disk import Disk

REPORTER, DEVELOPER, MAINTAINER, OWNER = 20, 30, 40, 50
PROTECTED: Final = "main"
_serial = itertools.count(101)


def new_id() -> int:
    """A number that nothing else has."""
    return next(_serial)


def now() -> str:
    """The time as GitLab writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(eq=False)
class User:
    """Somebody with an account."""

    username: str
    token: str
    id: int = field(default_factory=new_id)


@dataclass(eq=False)
class Note:
    """A comment."""

    author: User
    body: str
    id: int = field(default_factory=new_id)


@dataclass(eq=False)
class Pipeline:
    """A run of the project's jobs on a commit."""

    sha: str
    status: str
    id: int = field(default_factory=new_id)


@dataclass(eq=False)
class Merge:
    """A merge request."""

    iid: int
    author: User
    title: str
    description: str
    source: Project | None
    source_branch: str
    target_branch: str
    sha: str
    labels: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    state: str = "opened"
    allow_collaboration: bool = False
    force_remove: bool = False
    squash: bool = False
    merge_commit_sha: str | None = None
    id: int = field(default_factory=new_id)
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)
    following: str | None = None
    """The head that it will have when its host has seen the newest push."""
    unseen: int = 0
    """How many more looks it takes until then."""
    checking: int = 0
    """How many more looks it takes until the host knows whether it can be merged."""


@dataclass(eq=False)
class Project:
    """A project, with its repository."""

    owner: User
    path: str
    disk: Disk
    parent: Project | None = None
    id: int = field(default_factory=new_id)
    members: dict[int, int] = field(default_factory=dict)
    """Level by the user's number; the owner has all."""
    private: bool = False
    ready_at: float = 0.0
    """When a fork's import ends, by the monotonic clock."""
    merge_method: str = "merge"
    squash_option: str = "default_off"
    needs_pipeline: bool = False
    waits_for: str = ""
    """A `detailed_merge_status` that people must lift, such as `not_approved`."""
    merges: dict[int, Merge] = field(default_factory=dict)
    pipelines: list[Pipeline] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether it can be used yet."""
        return time.monotonic() >= self.ready_at

    def level(self, user: User | None) -> int:
        """How much somebody may do."""
        if user is None:
            return 0
        return OWNER if user is self.owner else self.members.get(user.id, 0)

    def sees(self, user: User | None) -> bool:
        """Whether somebody may read it."""
        return not self.private or self.level(user) > 0

    def pipeline(self, sha: str) -> Pipeline | None:
        """The newest pipeline of a commit."""
        return next((each for each in reversed(self.pipelines) if each.sha == sha), None)

    def merge_status(self, merge: Merge) -> str:
        """GitLab's `detailed_merge_status`."""
        main = self.disk.tip(merge.target_branch) or ""
        source = merge.source and merge.source.disk.tip(merge.source_branch)
        pipeline = self.pipeline(merge.sha)
        behind = self.merge_method != "merge" and not self.disk.contains(merge.sha, main)
        checks = (
            ("not_open", merge.state != "opened"),
            ("checking", merge.checking > 0),
            ("commits_status", not source),
            ("conflict", self.disk.merged_tree(main, merge.sha) is None),
            ("need_rebase", behind),
            (self.waits_for, bool(self.waits_for)),
            ("ci_still_running", bool(pipeline and pipeline.status in ("pending", "running"))),
            ("ci_must_pass", not pipeline or pipeline.status != "success"),
        )
        pipelines = ("ci_still_running", "ci_must_pass")
        return next(
            (name for name, so in checks if so and (self.needs_pipeline or name not in pipelines)),
            "mergeable",
        )
