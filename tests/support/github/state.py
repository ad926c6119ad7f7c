"""What the stand-in knows: people, repositories, pull requests, checks and rules.

Plain data and the questions that it answers by itself. No HTTP, no JSON: `views` makes that.

Example::

    repo.allows(user, "write")
    repo.pulls[1].state     # "open"
"""

from __future__ import annotations

import fnmatch
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tests.support.github.disk import Disk

ROLES: Final = ("read", "triage", "write", "maintain", "admin")
ACTOR_ROLES: Final = {2: "maintain", 4: "write", 5: "admin"}
"""GitHub's numbers of the built-in roles in a ruleset's `bypass_actors`."""
_serial = itertools.count(1001)


def new_id() -> int:
    """A number that nothing else has."""
    return next(_serial)


def now() -> str:
    """The time as GitHub writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(eq=False)
class User:
    """Somebody with an account, or an app."""

    login: str
    token: str
    name: str | None = None
    app: bool = False
    id: int = field(default_factory=new_id)

    @property
    def author(self) -> tuple[str, str]:
        """Whom a merge on the site names."""
        return self.name or self.login, f"{self.id}+{self.login}@users.noreply.github.com"


@dataclass(eq=False)
class Comment:
    """A comment on a pull request."""

    user: User
    body: str
    id: int = field(default_factory=new_id)
    created_at: str = field(default_factory=now)


@dataclass(eq=False)
class Run:
    """A check run."""

    name: str
    sha: str
    app: str
    app_id: int
    status: str = "queued"
    conclusion: str | None = None
    output: dict[str, Any] = field(default_factory=dict)
    details_url: str | None = None
    external_id: str | None = None
    id: int = field(default_factory=new_id)
    at: str = field(default_factory=now)


@dataclass(eq=False)
class Status:
    """A commit status, the older kind of a check."""

    context: str
    sha: str
    state: str
    description: str | None = None
    target_url: str | None = None
    id: int = field(default_factory=new_id)
    at: str = field(default_factory=now)


@dataclass(eq=False)
class Ruleset:
    """A ruleset, its parts as the API spells them."""

    name: str
    enforcement: str
    target: str = "branch"
    conditions: dict[str, Any] = field(default_factory=dict)
    rules: list[dict[str, Any]] = field(default_factory=list)
    bypass_actors: list[dict[str, Any]] = field(default_factory=list)
    id: int = field(default_factory=new_id)
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)

    def applies(self, branch: str, default: str) -> bool:
        """Whether it is in force for a branch."""
        if self.enforcement != "active" or self.target != "branch":
            return False
        names = self.conditions.get("ref_name", {})

        def named(patterns: list[str]) -> bool:
            full = f"refs/heads/{branch}"
            meant = [f"refs/heads/{default}" if p == "~DEFAULT_BRANCH" else p for p in patterns]
            return any(p == "~ALL" or fnmatch.fnmatchcase(full, p) for p in meant)

        return named(names.get("include", [])) and not named(names.get("exclude", []))


@dataclass(eq=False)
class Pull:
    """A pull request."""

    number: int
    user: User
    title: str
    body: str | None
    head_repo: Repo | None
    head_owner: User
    head_branch: str
    head_sha: str
    base: str
    base_sha: str
    maintainer_can_modify: bool = False
    draft: bool = False
    state: str = "open"
    labels: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    merged: bool = False
    merge_commit_sha: str | None = None
    closed_by: User | None = None
    id: int = field(default_factory=new_id)
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)
    closed_at: str | None = None
    unknown: int = 0
    """How many more times `mergeable` is answered as null: GitHub works it out later."""

    @property
    def head(self) -> str:
        """`owner:branch`."""
        return f"{self.head_owner.login}:{self.head_branch}"

    def close(self, by: User | None, merge_commit: str | None = None) -> None:
        """Closes it, merged where there is a commit."""
        self.state, self.closed_by, self.closed_at = "closed", by, now()
        self.updated_at = self.closed_at
        if merge_commit:
            self.merged, self.merge_commit_sha = True, merge_commit


@dataclass(eq=False)
class Repo:
    """A hosted repository."""

    owner: User
    name: str
    disk: Disk
    parent: Repo | None = None
    id: int = field(default_factory=new_id)
    collaborators: dict[str, str] = field(default_factory=dict)
    """Role by login; the owner administers."""
    default_branch: str = "main"
    ready_at: float = 0.0
    """When a fork becomes usable, by the monotonic clock."""
    archived: bool = False
    settings: dict[str, bool] = field(
        default_factory=lambda: {
            "allow_merge_commit": True,
            "allow_squash_merge": True,
            "allow_rebase_merge": False,
            "allow_auto_merge": False,
            "allow_update_branch": False,
            "delete_branch_on_merge": False,
        }
    )
    actions: dict[str, Any] = field(
        default_factory=lambda: {
            "enabled": True,
            "allowed_actions": "all",
            "sha_pinning_required": False,
        }
    )
    pulls: dict[int, Pull] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    rulesets: dict[int, Ruleset] = field(default_factory=dict)
    protection: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Classic branch protection by branch, as the API spells it."""
    created_at: str = field(default_factory=now)

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner.login}/{self.name}"

    @property
    def ready(self) -> bool:
        """Whether it can be used yet."""
        return time.monotonic() >= self.ready_at

    def role(self, user: User | None) -> str:
        """Somebody's role; everybody reads."""
        if user is self.owner:
            return "admin"
        return self.collaborators.get(user.login, "read") if user else "read"

    def allows(self, user: User | None, role: str) -> bool:
        """Whether somebody has a role, or more."""
        return user is not None and ROLES.index(self.role(user)) >= ROLES.index(role)

    def rules(
        self, branch: str, user: User | None = None, *, merging: bool = False
    ) -> Iterator[tuple[Ruleset, dict[str, Any]]]:
        """The rules in force for a branch, without those that somebody may bypass."""
        for ruleset in self.rulesets.values():
            if ruleset.applies(branch, self.default_branch):
                if user and self._bypasses(ruleset, user, merging=merging):
                    continue
                yield from ((ruleset, rule) for rule in ruleset.rules)

    def _bypasses(self, ruleset: Ruleset, user: User, *, merging: bool) -> bool:
        for actor in ruleset.bypass_actors:
            mode = actor.get("bypass_mode", "always")
            role = ACTOR_ROLES.get(actor.get("actor_id") or 0)
            is_role = actor["actor_type"] == "RepositoryRole" and role is not None
            if mode == "always" or (mode == "pull_request" and merging):
                if is_role and role and self.role(user) == role:
                    return True
                if actor["actor_type"] in ("Integration", "User") and actor["actor_id"] == user.id:
                    return True
        return False

    def missing_checks(self, rule: dict[str, Any], sha: str) -> Iterator[str]:
        """GitHub's words for each required check that a commit has not passed."""
        for wanted in rule["parameters"]["required_status_checks"]:
            context, app = wanted["context"], wanted.get("integration_id")
            runs = [r for r in self.latest_runs(sha, context) if app in (None, r.app_id)]
            states = [run.conclusion or run.status for run in runs]
            if not app:
                states += [s.state for s in self.latest_statuses(sha) if s.context == context]
            if not states:
                yield f'Required status check "{context}" is expected.'
            elif any(s in ("queued", "in_progress", "pending") for s in states):
                yield f'Required status check "{context}" is in progress.'
            elif not all(s in ("success", "neutral", "skipped") for s in states):
                yield f'Required status check "{context}" is failing.'

    def latest_runs(self, sha: str, name: str | None = None) -> list[Run]:
        """The last run of each app and name, the newest first."""
        found: dict[tuple[int, str], Run] = {}
        for run in reversed(self.runs):
            if run.sha == sha and name in (None, run.name):
                found.setdefault((run.app_id, run.name), run)
        return list(found.values())

    def latest_statuses(self, sha: str) -> list[Status]:
        """The last status of each context, the newest first."""
        found: dict[str, Status] = {}
        for status in reversed(self.statuses):
            if status.sha == sha:
                found.setdefault(status.context, status)
        return list(found.values())
