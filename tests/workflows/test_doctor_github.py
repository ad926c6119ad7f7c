"""`mpgit doctor --registry` on GitHub: each setting that weakens main's guard is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medperf_git.store.change import write_files
from medperf_git.vcs import Repository
from medperf_git.workflows.github import ruleset
from medperf_git.workflows.session import CHECKED
from tests.support.github.faults import Fault
from tests.support.github_site import GitHubSite, github_site
from tests.support.site import ADMINISTRATOR, REGISTRY

Change = Callable[[GitHubSite], object]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubSite]:
    with github_site(tmp_path_factory.mktemp("guarded")) as made:
        yield made


def rule(site: GitHubSite, kind: str) -> dict[str, Any]:
    (rules,) = site.registry.rulesets.values()
    found: dict[str, Any] = next(each for each in rules.rules if each["type"] == kind)
    return found


def drop(kind: str) -> Change:
    def change(site: GitHubSite) -> None:
        (rules,) = site.registry.rulesets.values()
        rules.rules.remove(rule(site, kind))

    return change


def parameter(kind: str, name: str, value: Any) -> Change:
    return lambda site: rule(site, kind)["parameters"].update({name: value})


def disable(site: GitHubSite) -> None:
    (rules,) = site.registry.rulesets.values()
    rules.enforcement = "disabled"


def archive(site: GitHubSite) -> None:
    site.registry.archived = True


def bypass(site: GitHubSite) -> None:
    (rules,) = site.registry.rulesets.values()
    rules.bypass_actors.append(
        {"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}
    )


WEAKER: dict[str, tuple[Change, str, str]] = {
    "deletion": (drop("deletion"), "problem", "may be deleted"),
    "force": (drop("non_fast_forward"), "problem", "by force"),
    "no-request": (drop("pull_request"), "problem", "without a request"),
    "no-check": (drop("required_status_checks"), "problem", "no check is required"),
    "no-owners": (
        parameter("pull_request", "require_code_owner_review", value=False),
        "problem", "code owners need not agree",
    ),
    "squash": (
        parameter("pull_request", "allowed_merge_methods", ["merge", "squash"]),
        "warning", "another history",
    ),
    "another-check": (
        parameter("required_status_checks", "required_status_checks", [{"context": "lint"}]),
        "problem", "validate is not among",
    ),
    "any-app": (
        parameter("required_status_checks", "required_status_checks", [{"context": "validate"}]),
        "warning", "tied to no app",
    ),
    "behind": (
        parameter("required_status_checks", "strict_required_status_checks_policy", value=False),
        "warning", "bad together",
    ),
    "off": (
        disable, "problem", "may be deleted",
    ),
    "bypass": (bypass, "warning", "can be passed by: RepositoryRole"),
    "no-merges": (
        lambda site: site.registry.settings.update({"allow_merge_commit": False}),
        "problem", "merge commits are switched off",
    ),
    "no-actions": (
        lambda site: site.registry.actions.update({"enabled": False}),
        "problem", "the check never runs",
    ),
    "archived": (archive, "problem", "archived"),
}  # fmt: skip


@pytest.fixture
def restored(site: GitHubSite) -> Iterator[GitHubSite]:
    """The guarded registry; what a test changes is put back."""
    repo = site.registry
    (rules,) = repo.rulesets.values()
    kept = json.dumps([rules.rules, rules.bypass_actors, repo.settings, repo.actions])
    yield site
    rules.rules, rules.bypass_actors, repo.settings, repo.actions = json.loads(kept)
    repo.archived, rules.enforcement = False, "active"


def test_a_guarded_registry_is_well(site: GitHubSite) -> None:
    done = site.do(ADMINISTRATOR, "doctor", "--registry", REGISTRY, "--json")
    assert [(each["topic"], each["state"]) for each in done.json] == [
        (f"registry {REGISTRY}", "ok"),
        (f"host of {REGISTRY}", "ok"),
    ]


@pytest.mark.parametrize("name", WEAKER)
def test_what_weakens_it_is_named(restored: GitHubSite, name: str) -> None:
    change, state, text = WEAKER[name]
    change(restored)
    done = restored.do(ADMINISTRATOR, "doctor", "--registry", REGISTRY, "--json", expect=None)
    found = [each for each in done.json if each["state"] != "ok"]
    assert any(each["state"] == state and text in each["text"] for each in found), found
    assert all(each.get("advice") or name == "archived" for each in found)
    assert done.code == any(each["state"] == "problem" for each in found)


def test_it_is_mended_by_a_command(restored: GitHubSite) -> None:
    for change in ("behind", "any-app", "squash"):
        WEAKER[change][0](restored)
    done = restored.do(ADMINISTRATOR, "registry", "guard", "--yes", "--json")
    assert done.json == {"ruleset": ruleset()["name"], "state": "changed"}
    restored.do(ADMINISTRATOR, "doctor", "--registry", REGISTRY)
    again = restored.do(ADMINISTRATOR, "registry", "guard", "--yes", "--json")
    assert again.json["state"] == "there"


def test_a_merge_queue_where_it_is_wanted(restored: GitHubSite) -> None:
    restored.do(ADMINISTRATOR, "registry", "guard", "--merge-queue", "--yes")
    assert rule(restored, "merge_queue")["parameters"]["merge_method"] == "MERGE"
    restored.do(ADMINISTRATOR, "doctor", "--registry", REGISTRY)


def test_a_lost_answer_makes_one_ruleset(restored: GitHubSite) -> None:
    restored.registry.rulesets.clear()
    restored.github.faults.append(Fault("POST", "/rulesets$", "lost-reply"))
    done = restored.do(ADMINISTRATOR, "registry", "guard", "--yes", "--json")
    assert done.json["state"] == "made"
    assert len(restored.registry.rulesets) == 1


def test_who_may_not_is_told(site: GitHubSite) -> None:
    site.rules("eve")
    site.do("eve", "registry", "add", REGISTRY, site.address, "--genesis", site.genesis)
    done = site.do("eve", "registry", "guard", "--yes", expect=1)
    assert "refuses" in done.err
    # What anybody may look at is looked at.
    site.do("eve", "doctor", "--registry", REGISTRY)


FILES = {
    ".github/workflows/validate.yml": b"name: Validate\njobs: {}\n",
    ".github/CODEOWNERS": b"/registry/ @anybody\n",
}


@pytest.mark.parametrize("path", FILES)
def test_a_file_that_differs_or_is_missing_is_named(site: GitHubSite, path: str) -> None:
    with Repository.open(site.home(ADMINISTRATOR).mirror(REGISTRY)) as mirror:
        before = mirror.resolve(CHECKED)
        tree = mirror.commit(before).tree
        changed = write_files(mirror, tree, {path: FILES[path]})
        folders = {name: e for name, e in mirror.folder(tree).items() if name != ".github"}
        gone = mirror.write_tree(folders.values())
        try:
            for other, text in ((changed, "is not what mpgit writes"), (gone, "is missing")):
                commit = mirror.write_commit(other, [before], "Change", ("a", "a@example"))
                mirror.set_ref(CHECKED, commit)
                words = ("doctor", "--registry", REGISTRY, "--json")
                found = site.do(ADMINISTRATOR, *words, expect=None).json
                assert any(f"{path} {text}" in each["text"] for each in found), found
        finally:
            mirror.set_ref(CHECKED, before)


def test_elsewhere_there_are_no_settings_to_look_at(site: GitHubSite, tmp_path: Path) -> None:
    plain = tmp_path / "plain.git"
    Repository.create(plain).close()
    words = ("registry", "init", "mine", plain, "--title", "Mine", "--participant", "ana")
    site.do(ADMINISTRATOR, *words, "--participant-name", "Ana", "--yes")
    done = site.do(ADMINISTRATOR, "doctor", "--registry", "mine")
    assert "no settings are looked at" in done.out
    refused = site.do(ADMINISTRATOR, "registry", "guard", "-r", "mine", "--yes", expect=2)
    assert "not on GitHub" in refused.err
