"""A registry on GitHub's stand-in, and its people with tokens there.

Ana administers the repository, the committee may write to it, everybody else works from forks.
Actions are the shell steps of ``validate.yml``, run for real where a runner is given.

Example::

    with github_site(tmp_path) as site:
        site.do("ana", "doctor", "--registry", REGISTRY)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import actions
from tests.support.github.host import GitHubHost
from tests.support.github.state import Pull, Repo
from tests.support.site import ADMINISTRATOR, REGISTRY, Site, write_parts

ACTION = f"medperf/medperf_git@{'0' * 40}"
ORGANISATION = "clinics"
WRITERS = {"anna": "write", "ben": "write", "chloe": "write"}
OUTSIDE = ("oak", "ky")
VALIDATE = actions.TOP / ".github" / "workflows" / "validate.yml"


class GitHubSite(Site):
    """A site whose host is GitHub's stand-in; its people have tokens there."""

    github: GitHubHost
    runner: actions.Runner

    @property
    def address(self) -> str:
        return self.github.clone_url(ORGANISATION, "registry")

    @property
    def registry(self) -> Repo:
        return self.github.find(ORGANISATION, "registry")

    def settings(self, who: str) -> dict[str, str]:
        """Somebody's environment: their token is for this host alone."""
        return {
            **super().settings(who),
            "GH_HOST": self.github.url.removeprefix("http://"),
            "GH_ENTERPRISE_TOKEN": self.github.user(who).token,
        }

    def judge(self, repo: Repo, pull: Pull) -> None:
        """GitHub Actions: the steps of the workflow for real, then the check run."""
        if pull.state != "open":
            return
        ran = self.runner.job(
            VALIDATE,
            {
                "server_url": self.github.url,
                "repository": repo.full_name,
                "event_name": "pull_request",
                "base_ref": "main",
                "event": {
                    "repository": {"default_branch": "main"},
                    "pull_request": {"head": {"sha": pull.head_sha}},
                },
            },
        )
        run = self.github.check_run(
            repo, pull.head_sha, "validate", "success" if ran.code == 0 else "failure"
        )
        run.output = {"title": "validate", "summary": ran.summary or ran.log}

    def pull(self, who: str, request: str) -> Pull:
        """The pull request of a request."""
        found = self.do(who, "request", "view", request, "--json", expect=None).json
        return self.registry.pulls[found["number"]]


def found(site: GitHubSite) -> None:
    site.rules(ADMINISTRATOR)
    site.do(ADMINISTRATOR, "key", "create", "--no-passphrase")
    done = site.do(
        ADMINISTRATOR, "registry", "init", REGISTRY, site.address, "--title", "Clinics",
        "--participant", ADMINISTRATOR, "--participant-name", "Ana", "--yes", "--json",
        "--github", f"{ORGANISATION}/registry", "--action", ACTION, "--owner", "@clinics/team",
    )  # fmt: skip
    site.genesis = done.json["genesis"]
    assert "the ruleset that guards main: made" in done.err


def register(site: GitHubSite, *people: str) -> None:
    for who in people:
        site.rules(who)
        site.do(who, "registry", "add", REGISTRY, site.address, "--genesis", site.genesis)
        site.do(who, "key", "create", "--no-passphrase")
        site.do(who, "participant", "register", who, "--name", who.title(), "--yes")
        site.approve(f"{who}/register", ADMINISTRATOR)


@contextmanager
def github_site(folder: Path, runner: actions.Runner | None = None) -> Iterator[GitHubSite]:
    """A site on a host of its own; every call there was one that GitHub describes.

    Args:
        folder: where to.
        runner: the machine on which requests are judged; nobody judges them without.
    """
    made = GitHubSite(folder / "site")
    with GitHubHost(folder / "github") as host:
        made.github = host
        repo = host.repository(ORGANISATION, "registry")
        host.collaborator(repo, ADMINISTRATOR, "admin")
        for who, role in WRITERS.items():
            host.collaborator(repo, who, role)
        for who in OUTSIDE:
            host.user(who)
        write_parts(made)
        found(made)
        if runner is not None:
            made.runner = runner
            host.on_pull = made.judge
        yield made
        assert host.violations == []
