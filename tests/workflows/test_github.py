"""`mpgit registry init --github`: the guard reaches main before the genesis, which it pins."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from medperf_git.store.change import write_files
from medperf_git.vcs import Repository
from medperf_git.workflows.github import WRITTEN, address
from tests.support.site import Site

ACTION = f"medperf/medperf_git@{'0' * 40}"
GUARD = ("--github", "clinics/registry", "--action", ACTION, "--owner", "@clinics/administrators")
WHO = ("--title", "Mine", "--participant", "new", "--participant-name", "New", "--yes")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    place = tmp_path / "host.git"
    Repository.create(place).close()
    return place


def test_a_guarded_registry(site: Site, host: Path) -> None:
    site.do("eve", "key", "create", "new", "--no-passphrase")
    words = ("registry", "init", "mine", f"file://{host}", *WHO, "--key", "new", *GUARD)
    done = site.do("eve", *words, "--json")
    assert "ruleset.json" in done.err
    with Repository.open(host) as repository:
        for path in WRITTEN.values():
            assert git(host, "cat-file", "-t", f"main:{path}") == "blob"
        workflow = git(host, "show", "main:.github/workflows/validate.yml")
        assert done.json["genesis"] in workflow
        assert ACTION in workflow
        # Schemas, the guard, and the genesis with nothing else.
        genesis = repository.resolve("refs/heads/main")
        assert len(list(repository.first_parents(genesis, None))) == 3
        assert git(host, "show", "--format=", "--name-only", genesis).count(".github") == 0
    site.do("eve", "audit", "--git-dir", str(host), "--genesis", done.json["genesis"])
    site.do("eve", "audit", "-r", "mine", "--full")


def test_what_the_host_has_already_stays(site: Site, host: Path) -> None:
    with Repository.open(host) as repository:
        tree = write_files(repository, git(host, "mktree"), {WRITTEN["audit.yml"]: b"name: ours\n"})
        first = repository.write_commit(tree, [], "Ours", ("a", "a@example"))
        repository.set_ref("refs/heads/main", first)
    site.do("eve", "key", "create", "new", "--no-passphrase")
    words = ("registry", "init", "mine", f"file://{host}", *WHO, "--key", "new")
    done = site.do("eve", *words, *GUARD, expect=1)
    assert WRITTEN["audit.yml"] in done.err
    assert git(host, "rev-parse", "main") == first
    assert not site.home("eve").mirror("mine").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Missing argument 'URL'"),
        (("file:///x", "--action", ACTION), "go with --github"),
        (("--github", "clinics/registry"), "--github needs --action"),
        (("--github", "clinics/registry", "--action", ACTION), "nobody is named"),
        (("--github", "https://x/y/z", "--action", ACTION, "--owner", "@me"), "--github"),
    ],
)
def test_what_is_missing_is_said(site: Site, words: tuple[str, ...], said: str) -> None:
    assert said in site.do("eve", "registry", "init", "mine", *words, *WHO, expect=2).err


def test_the_address() -> None:
    assert address("clinics/registry") == "https://github.com/clinics/registry.git"


def git(repository: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", repository, *words],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.strip()
