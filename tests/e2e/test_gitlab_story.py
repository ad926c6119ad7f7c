"""A registry on GitLab's stand-in, as people type it: outside hospitals as forks, one maintainer.

Nothing says that the host is a GitLab: it is asked when the registry is added.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.gitlab.host import GitLabHost
from tests.support.site import ADMINISTRATOR, REGISTRY, Site

OUTSIDE = ("ky", "oak")


class GitLabSite(Site):
    """A site whose host is GitLab's stand-in; its people have tokens there."""

    gitlab: GitLabHost

    def settings(self, who: str) -> dict[str, str]:
        """Somebody's environment: their token is for this host alone."""
        return {
            **super().settings(who),
            "GITLAB_HOST": self.gitlab.url.removeprefix("http://"),
            "GITLAB_TOKEN": self.gitlab.user(who).token,
        }


def test_from_an_empty_project_to_members_by_merge_request(tmp_path: Path) -> None:
    site = GitLabSite(tmp_path / "site")
    site.folder.mkdir()
    with GitLabHost(tmp_path / "gitlab") as host:
        site.gitlab = host
        project = host.project(ADMINISTRATOR, "clinics/north/registry", {})
        address = host.clone_url("clinics/north/registry")
        site.rules(ADMINISTRATOR)
        site.do(ADMINISTRATOR, "key", "create", "--no-passphrase")
        words = ("registry", "init", REGISTRY, address, "--title", "Clinics", "--json", "--yes")
        who = ("--participant", ADMINISTRATOR, "--participant-name", "Ana")
        site.genesis = site.do(ADMINISTRATOR, *words, *who).json["genesis"]
        for name in OUTSIDE:
            site.rules(name)
            site.do(name, "registry", "add", REGISTRY, address, "--genesis", site.genesis)
            site.do(name, "key", "create", "--no-passphrase")
            site.do(name, "participant", "register", name, "--name", name.title(), "--yes")
        for name in OUTSIDE:
            request = f"{name}/register"
            site.do(ADMINISTRATOR, "request", "approve", request, "--yes")
            # The second one's lacks the first one's merge: main is brought into it.
            site.do(ADMINISTRATOR, "request", "merge", request)
        merges = list(project.merges.values())
        assert [merge.state for merge in merges] == ["merged", "merged"]
        assert [merge.source and merge.source.path for merge in merges] == [
            "ky/registry",
            "oak/registry",
        ]
        site.do("ky", "registry", "sync")
        assert "ACCEPTED: 4 commits" in site.do("ky", "audit").out
        assert host.violations == []
