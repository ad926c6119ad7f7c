"""GitHub's objects as its API shows them; what is not known of one is made complete by schema.

Example::

    views.pull(repo, pull, user)["head"]["sha"]
"""

from __future__ import annotations

from typing import Any, Final

from tests.support.github.samples import Samples
from tests.support.github.state import ROLES, Comment, Pull, Repo, Ruleset, Run, Status, User
from tests.support.github.world import World

_COLOUR: Final = "ededed"


class Views:
    """Makes them."""

    def __init__(self, world: World, samples: Samples) -> None:
        self._world = world
        self._samples = samples

    def user(self, user: User, schema: str = "simple-user") -> dict[str, Any]:
        """Somebody."""
        known: dict[str, Any] = {
            "login": user.login,
            "id": user.id,
            "node_id": f"U_{user.id}",
            "type": "Bot" if user.app else "User",
            "url": f"{self._world.api}/users/{user.login}",
            "html_url": f"{self._world.url}/{user.login}",
        }
        if schema != "simple-user":
            known["name"] = user.name
        return self._samples.complete(schema, known)

    def repo(self, repo: Repo, viewer: User | None, schema: str = "repository") -> dict[str, Any]:
        """A repository, whole where the schema is `full-repository`."""
        known: dict[str, Any] = {
            "id": repo.id,
            "node_id": f"R_{repo.id}",
            "name": repo.name,
            "full_name": repo.full_name,
            "owner": self.user(repo.owner),
            "private": False,
            "visibility": "public",
            "fork": repo.parent is not None,
            "archived": repo.archived,
            "default_branch": repo.default_branch,
            "url": self.address(repo),
            "html_url": f"{self._world.url}/{repo.full_name}",
            "clone_url": f"{self._world.url}/{repo.full_name}.git",
            "created_at": repo.created_at,
            "updated_at": repo.created_at,
            "pushed_at": repo.created_at,
        }
        if viewer:
            known["permissions"] = self._permissions(repo, viewer)
        if schema == "full-repository":
            if repo.parent:
                known["parent"] = self.repo(repo.parent, viewer)
                known["source"] = self.repo(_root(repo), viewer)
            if repo.allows(viewer, "write"):
                known |= repo.settings
        return self._samples.complete(schema, known)

    def pull(
        self, repo: Repo, pull: Pull, viewer: User | None, schema: str = "pull-request"
    ) -> dict[str, Any]:
        """A pull request, as a list shows it where the schema is `pull-request-simple`."""
        url = f"{self.address(repo)}/pulls/{pull.number}"
        issue = f"{self.address(repo)}/issues/{pull.number}"
        known = {
            "id": pull.id,
            "number": pull.number,
            "url": url,
            "html_url": f"{self._world.url}/{repo.full_name}/pull/{pull.number}",
            "issue_url": issue,
            "comments_url": f"{issue}/comments",
            "state": pull.state,
            "title": pull.title,
            "body": pull.body,
            "user": self.user(pull.user),
            "labels": [self.label(repo, name) for name in pull.labels],
            "draft": pull.draft,
            "created_at": pull.created_at,
            "updated_at": pull.updated_at,
            "closed_at": pull.closed_at,
            "merged_at": pull.closed_at if pull.merged else None,
            "merge_commit_sha": pull.merge_commit_sha,
            "head": self._end(
                pull.head_repo, pull.head_owner, pull.head_branch, pull.head_sha, viewer
            ),
            "base": self._end(repo, repo.owner, pull.base, pull.base_sha, viewer),
            "author_association": self._association(repo, pull.user),
        }
        if schema == "pull-request":
            known |= self._whole(repo, pull)
        return self._samples.complete(schema, known)

    def _whole(self, repo: Repo, pull: Pull) -> dict[str, Any]:
        mergeable, state = self.mergeable(repo, pull)
        trial = self._world.trial(repo, pull) if mergeable else None
        return {
            # While it is open, this is no merge that anybody made.
            "merge_commit_sha": pull.merge_commit_sha or trial,
            "merged": pull.merged,
            "mergeable": mergeable,
            "mergeable_state": state,
            "merged_by": self.user(pull.closed_by) if pull.merged and pull.closed_by else None,
            "comments": len(pull.comments),
            "commits": repo.disk.ahead(pull.base_sha, pull.head_sha),
            "maintainer_can_modify": pull.maintainer_can_modify,
        }

    def mergeable(self, repo: Repo, pull: Pull) -> tuple[bool | None, str]:
        """What GitHub says of an open pull request; it may not know at first."""
        if pull.state == "closed" or repo.disk.tip(pull.base) is None:
            return None, "unknown"
        if pull.unknown:
            pull.unknown -= 1
            return None, "unknown"
        if self._world.trial(repo, pull) is None:
            return False, "dirty"
        blocked = any(
            rule["type"] == "update"
            or (
                rule["type"] == "required_status_checks"
                and any(repo.missing_checks(rule, pull.head_sha))
            )
            for _, rule in repo.rules(pull.base)
        )
        return True, "blocked" if blocked else "clean"

    def comment(self, repo: Repo, number: int, comment: Comment) -> dict[str, Any]:
        """A comment."""
        page = f"{self._world.url}/{repo.full_name}/pull/{number}"
        return self._samples.complete("issue-comment", {
            "id": comment.id,
            "url": f"{self.address(repo)}/issues/comments/{comment.id}",
            "html_url": f"{page}#issuecomment-{comment.id}",
            "issue_url": f"{self.address(repo)}/issues/{number}",
            "user": self.user(comment.user),
            "body": comment.body,
            "author_association": self._association(repo, comment.user),
            "created_at": comment.created_at,
            "updated_at": comment.created_at,
        })  # fmt: skip

    def label(self, repo: Repo, name: str) -> dict[str, Any]:
        """A label."""
        url = f"{self.address(repo)}/labels/{name}"
        known = {"id": repo.id, "name": name, "url": url, "color": _COLOUR, "description": ""}
        return self._samples.complete("label", known)

    def run(self, repo: Repo, run: Run) -> dict[str, Any]:
        """A check run."""
        url = f"{self.address(repo)}/check-runs/{run.id}"
        done = run.status == "completed"
        output = {"title": None, "summary": None, "text": None, **run.output}
        app = {"id": run.app_id, "slug": run.app, "name": run.app, "url": url}
        return self._samples.complete("check-run", {
            "id": run.id,
            "head_sha": run.sha,
            "name": run.name,
            "url": url,
            "html_url": f"{self._world.url}/{repo.full_name}/runs/{run.id}",
            "details_url": run.details_url,
            "external_id": run.external_id,
            "status": run.status,
            "conclusion": run.conclusion,
            "started_at": run.at,
            "completed_at": run.at if done else None,
            "output": {k: v for k, v in output.items() if k in ("title", "summary", "text")},
            "app": {**app, "owner": self.user(repo.owner)},
            "check_suite": {"id": run.id},
        })  # fmt: skip

    def combined(self, repo: Repo, sha: str) -> dict[str, Any]:
        """All statuses of a commit in one."""
        found = repo.latest_statuses(sha)
        states = {status.state for status in found}
        bad = bool(states & {"failure", "error"})
        good = states == {"success"}
        return self._samples.complete("combined-commit-status", {
            "state": "failure" if bad else "success" if good else "pending",
            "sha": sha,
            "total_count": len(found),
            "statuses": [self._status(repo, status) for status in found],
            "repository": self.repo(repo, None, "minimal-repository"),
            "url": f"{self.address(repo)}/commits/{sha}/status",
            "commit_url": f"{self.address(repo)}/commits/{sha}",
        })  # fmt: skip

    def _status(self, repo: Repo, status: Status) -> dict[str, Any]:
        return {
            "id": status.id,
            "context": status.context,
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url,
            "url": f"{self.address(repo)}/statuses/{status.sha}",
            "created_at": status.at,
            "updated_at": status.at,
        }

    def ruleset(self, repo: Repo, ruleset: Ruleset, viewer: User | None) -> dict[str, Any]:
        """A ruleset; who may bypass it is shown to whom may change it."""
        known: dict[str, Any] = {
            **self.ruleset_line(repo, ruleset),
            "conditions": ruleset.conditions,
            "rules": ruleset.rules,
        }
        if repo.allows(viewer, "admin"):
            known["bypass_actors"] = ruleset.bypass_actors
        return self._samples.complete("repository-ruleset", known)

    def ruleset_line(self, repo: Repo, ruleset: Ruleset) -> dict[str, Any]:
        """A ruleset as a list shows it: without its rules."""
        return {
            "id": ruleset.id,
            "name": ruleset.name,
            "target": ruleset.target,
            "source_type": "Repository",
            "source": repo.full_name,
            "enforcement": ruleset.enforcement,
            "node_id": f"RRS_{ruleset.id}",
            "created_at": ruleset.created_at,
            "updated_at": ruleset.updated_at,
        }

    def address(self, repo: Repo) -> str:
        """Where the API has a repository."""
        return f"{self._world.api}/repos/{repo.full_name}"

    def _end(
        self, repo: Repo | None, owner: User, branch: str, sha: str, viewer: User | None
    ) -> dict[str, Any]:
        return {
            "label": f"{owner.login}:{branch}",
            "ref": branch,
            "sha": sha,
            "user": self.user(owner),
            "repo": self.repo(repo, viewer) if repo else None,
        }

    def _association(self, repo: Repo, user: User) -> str:
        if user is repo.owner:
            return "OWNER"
        return "COLLABORATOR" if user.login in repo.collaborators else "NONE"

    def _permissions(self, repo: Repo, viewer: User) -> dict[str, bool]:
        names = dict(zip(ROLES, ("pull", "triage", "push", "maintain", "admin"), strict=True))
        return {name: repo.allows(viewer, role) for role, name in names.items()}


def _root(repo: Repo) -> Repo:
    while repo.parent:
        repo = repo.parent
    return repo
