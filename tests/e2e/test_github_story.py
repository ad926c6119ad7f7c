"""The whole way on GitHub's stand-in: outside hospitals as forks, the real check on each request.

Every pull request is judged by the shell steps of `validate.yml`, as GitHub would run them; main's
ruleset demands that check. Everybody types what they would type, with a token of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from medperf_git.forge import github
from medperf_git.workflows.github import ruleset
from tests.support import actions
from tests.support.github_site import OUTSIDE, WRITERS, GitHubSite, github_site, register
from tests.support.site import (
    ADMINISTRATOR,
    BENCHMARK,
    COMMITTEE,
    REGISTRY,
    Done,
    benchmark_draft,
    metrics_draft,
    model_draft,
    preparation_draft,
)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> actions.Runner:
    return actions.Runner(tmp_path_factory.mktemp("runner"))


@pytest.fixture
def site(
    tmp_path: Path, runner: actions.Runner, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GitHubSite]:
    monkeypatch.setattr(github, "_CHECK_SECONDS", 30.0)
    monkeypatch.setattr(github, "_PAUSE_SECONDS", 0.2)
    with github_site(tmp_path, runner) as made:
        yield made


def merge(site: GitHubSite, who: str, request: str) -> Done:
    return site.do(who, "request", "merge", request)


def test_from_an_empty_repository_to_a_verified_leaderboard(site: GitHubSite) -> None:
    assert site.registry.rulesets[next(iter(site.registry.rulesets))].name == ruleset()["name"]
    seen = site.do(ADMINISTRATOR, "doctor", "--registry", REGISTRY, "--json").json
    assert [each["state"] for each in seen] == ["ok", "ok"], seen
    register(site, *COMMITTEE, *OUTSIDE)
    # ky may not write there: its requests come from a fork.
    assert site.registry.pulls[5].head_repo is site.github.find("ky", "registry")

    for kind, name, data in (
        ("mlcube", "prep", preparation_draft()),
        ("mlcube", "metrics", metrics_draft()),
        ("model", "rule", model_draft("rule")),
    ):
        site.do("anna", kind, "submit", site.draft(name, data), "--yes", "--merge")
    site.do("anna", "benchmark", "submit", site.draft("fever", benchmark_draft()), "--yes")
    pull = site.pull("anna", "anna/benchmark-fever-1")
    red = next(run for run in site.registry.runs if run.sha == pull.head_sha)
    assert red.conclusion == "failure"
    assert "awaiting approvals" in red.output["summary"]
    assert "waiting for ana" in red.output["summary"]
    refused = site.do("anna", "request", "merge", "anna/benchmark-fever-1", expect=3)
    assert "request approve anna/benchmark-fever-1" in refused.err
    site.approve("anna/benchmark-fever-1", "ben", ADMINISTRATOR)
    policy = {"open": True, "images": ["source"], "models": {"mode": "listed"}}
    policy["models"] = {"mode": "listed", "participants": ["oak"]}
    path = site.draft("policy", policy)
    site.do("anna", "benchmark", "policy", BENCHMARK, "--file", path, "--yes")
    site.approve("anna/policy-fever-1", "chloe")

    site.do("oak", "registry", "sync")
    site.do("oak", "model", "submit", site.draft("good", model_draft("good")), "--yes")
    merge(site, "anna", "oak/model-good-1")
    site.do("oak", "model", "associate", "good", "-b", BENCHMARK, "--yes")
    merge(site, "ben", "oak/model-association-fever-oak-good-1")

    site.do("ky", "registry", "sync")
    site.do("ky", "dataset", "prepare", "opt", "-b", BENCHMARK, "--data", site.raw)
    opened = site.do("ky", "dataset", "submit", "opt", "--yes", "--json").json
    body = site.pull("ky", opened["request"]).body or ""
    assert body.startswith("Asks to add the dataset `ky/opt`, revision 1.")
    assert "**Approvals:** none is missing." in body
    merge(site, "anna", opened["request"])
    site.do("ky", "dataset", "associate", "opt", "-b", BENCHMARK, "--yes")
    site.approve("ky/dataset-association-fever-ky-opt-1", "ben", "chloe")
    site.do("ky", "registry", "sync")
    site.do("ky", "run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good")
    sent = site.do("ky", "result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes", "--json").json
    merge(site, "chloe", sent["request"])

    for who in ("oak", ADMINISTRATOR):
        site.do(who, "registry", "sync")
        board = site.do(who, "leaderboard", BENCHMARK, "--json").json
        assert "oak/good" in str(board)
    audited = site.do("oak", "audit", "--full", "--json").json
    assert audited["failures"] == []
    listed = site.do("oak", "request", "ls", "--all", "--json").json
    assert {entry["state"] for entry in listed} == {"merged"}
    assert all(entry["url"].startswith(site.github.url) for entry in listed)
    # No token is anywhere but where it was given.
    tokens = [site.github.user(who).token for who in (*WRITERS, *OUTSIDE, ADMINISTRATOR)]
    for path in site.folder.rglob("*"):
        if path.is_file() and path.stat().st_size < 1 << 20:
            content = path.read_bytes()
            assert not any(token.encode() in content for token in tokens), path


def test_the_button_merges_nothing_that_is_not_approved(site: GitHubSite) -> None:
    """A member who prefers the browser: the check is red until the signatures are there."""
    register(site, "anna")
    site.rules("oak")
    site.do("oak", "registry", "add", REGISTRY, site.address, "--genesis", site.genesis)
    site.do("oak", "key", "create", "--no-passphrase")
    site.do("oak", "participant", "register", "oak", "--name", "Oak", "--yes")
    before = site.registry.disk.tip("main")
    assert button(site, "oak/register") == 405
    assert site.registry.disk.tip("main") == before
    # Approved in the terminal; then the button does what it says.
    site.do(ADMINISTRATOR, "request", "approve", "oak/register", "--yes")
    site.do(ADMINISTRATOR, "registry", "sync")
    assert button(site, "oak/register") == 200
    report = site.do("oak", "registry", "sync", "--json").json
    assert report["commits"] == 1


def test_what_is_pushed_after_the_approval_is_judged_again(site: GitHubSite) -> None:
    register(site, "anna")
    site.do("anna", "mlcube", "submit", site.draft("prep", preparation_draft()), "--yes")
    pull = site.pull("anna", "anna/mlcube-fever-prep-1")
    site.github.write(site.registry, pull.head_branch, {"new.txt": "not a record"})
    before = site.registry.disk.tip("main")
    assert button(site, "anna/mlcube-fever-prep-1") == 405
    done = site.do("anna", "request", "merge", "anna/mlcube-fever-prep-1", expect=1)
    assert "new.txt" in done.err
    assert site.registry.disk.tip("main") == before


def button(site: GitHubSite, request: str) -> int:
    """Anna presses the green button in the browser; the answer's status."""
    pull = site.pull("anna", request)
    address = f"{site.github.api}/repos/{site.registry.full_name}/pulls/{pull.number}/merge"
    headers = site.github.headers(site.github.user("anna"))
    return requests.put(address, headers=headers, json={}, timeout=30).status_code
