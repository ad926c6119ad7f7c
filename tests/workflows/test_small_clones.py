"""Small clones: one benchmark over real servers, and what is said about the rest."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.store.home import RegistryEntry
from medperf_git.vcs import Repository
from tests.support.in_git import export, write_files
from tests.support.servers import over_http, over_ssh
from tests.support.simulator import (
    BENCHMARK,
    BENCHMARK_SIGNERS,
    COMMITTEE,
    Files,
    Simulator,
    full_registry,
)
from tests.support.site import Site, git

OTHER = "chair/stroke"
WHO = "reader"
AUTHOR = ("a", "a@b")


@pytest.fixture
def registry() -> Simulator:
    made = full_registry()
    made.merge(made.sign(made.benchmark(OTHER), by=BENCHMARK_SIGNERS))
    made.merge(made.sign(made.policy(OTHER), by=COMMITTEE[:2]))
    made.merge(made.sign(made.model("maker/unseen"), by=["maker"]))
    return made


@pytest.fixture
def host(tmp_path: Path, registry: Simulator) -> Site:
    """A registry of two benchmarks on a server that lets files be left out."""
    site = Site(tmp_path, registry.snapshot.identity)
    with Repository.create(site.host) as repository:
        export(registry, repository)
    for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git(site.host, "config", name, "true")
    return site


@pytest.fixture
def url(host: Site) -> Iterator[str]:
    with over_http(host.folder / "web", host.host) as (address, _):
        yield address


def land(host: Site, registry: Simulator, files: Files, ref: str = "main") -> str:
    """Somebody else's commit on the host."""
    with Repository.open(host.host) as repository:
        tree = {**registry.tree.files, **{p: (0o100644, data) for p, data in files.items()}}
        main = repository.resolve("refs/heads/main")
        commit = repository.write_commit(write_files(repository, tree), [main], "More", AUTHOR)
        repository.set_ref(f"refs/heads/{ref}", commit)
    return commit


def add(host: Site, url: str, *words: str, expect: int = 0) -> str:
    arguments = ("registry", "add", "r", url, "--genesis", host.genesis, "-b", BENCHMARK, *words)
    done = host.do(WHO, *arguments, expect=expect)
    return done.err if expect else done.out


def here(host: Site, *paths: str) -> list[bool]:
    """Whether the mirror has the files at these paths of main."""
    with Repository.open(host.home(WHO).mirror("r")) as mirror:
        oids = [git(mirror.path, "rev-parse", f"refs/mpgit/checked:{path}") for path in paths]
        lacking = mirror.lacking(oids)
    return [oid not in lacking for oid in oids]


SEEN = "registry/models/maker/net/1.yaml"
UNSEEN = "registry/models/maker/unseen/1.yaml"


def test_one_benchmark_is_fetched_verified_and_read(host: Site, url: str) -> None:
    said = add(host, url)
    assert "NOT VERIFIED: 3 other records" in said
    assert here(host, SEEN, UNSEEN) == [True, False]
    # Nothing but a command that says so may ever fetch what was left out.
    config = (host.home(WHO).mirror("r") / "config").read_text()
    assert "promisor" not in config
    assert "partial" not in config.lower()
    assert host.do(WHO, "registry", "ls", "--json").json[0]["benchmarks"] == [BENCHMARK]
    assert BENCHMARK in host.do(WHO, "registry", "ls").out
    partial = host.do(WHO, "registry", "sync", "--json").json["partial"]
    assert (partial["benchmarks"], partial["other_records"]) == ([BENCHMARK], 3)
    audited = host.do(WHO, "audit", "--full", "--json").json
    assert (audited["verdict"], audited["partial"]) == ("accepted", partial)
    assert host.do(WHO, "audit", "--json").json["commits"] == 0


def test_reading_needs_no_network_and_what_was_not_fetched_is_said(
    host: Site, registry: Simulator
) -> None:
    with over_http(host.folder / "web", host.host) as (url, _):
        add(host, url)
    assert "maker/net" in host.do(WHO, "leaderboard", BENCHMARK).out
    assert host.do(WHO, "result", "ls", "-b", BENCHMARK, "--json").json
    for words in (
        ("model", "ls"),
        ("model", "view", "maker/unseen"),
        ("leaderboard", OTHER),
        ("benchmark", "view", OTHER),
    ):
        done = host.do(WHO, *words, expect=1)
        assert f"reads only {BENCHMARK}" in done.err, words
        assert "mpgit registry widen" in done.err
    done = host.do(WHO, "audit", "--tree", expect=2)
    assert "the finished tree is not here" in done.err
    assert "Traceback" not in done.err


def test_a_sync_brings_what_joins_the_scope(host: Site, url: str, registry: Simulator) -> None:
    add(host, url)
    files = registry.sign(registry.model_association("maker/unseen"), by=["maker", *COMMITTEE[:2]])
    land(host, registry, files)
    partial = host.do(WHO, "registry", "sync", "--json").json["partial"]
    assert partial["other_records"] == 2
    assert here(host, UNSEEN) == [True]
    assert "maker/unseen" in host.do(WHO, "model", "view", "maker/unseen").out


def test_a_defect_in_scope_is_refused_and_nothing_moves(
    host: Site, url: str, registry: Simulator
) -> None:
    add(host, url)
    land(host, registry, registry.sign(registry.result(), by=["ms"]))
    done = host.do(WHO, "registry", "sync", expect=1)
    assert "main holds a transition that the rules refuse" in done.err
    assert host.do(WHO, "leaderboard", BENCHMARK)


def test_widening(host: Site, url: str, registry: Simulator) -> None:
    add(host, url)
    host.do(WHO, "registry", "widen", expect=2)
    host.do(WHO, "registry", "widen", "--all", "-b", OTHER, expect=2)
    assert (
        "there is no benchmark"
        in host.do(WHO, "registry", "widen", "-b", "chair/none", expect=2).err
    )
    assert here(host, UNSEEN) == [False]
    host.do(WHO, "registry", "widen", "-b", OTHER)
    assert host.do(WHO, "registry", "ls", "--json").json[0]["benchmarks"] == [BENCHMARK, OTHER]
    host.do(WHO, "benchmark", "view", OTHER)
    host.do(WHO, "registry", "widen", "--all")
    assert here(host, UNSEEN) == [True]
    assert host.do(WHO, "registry", "ls", "--json").json[0]["benchmarks"] == []
    assert "maker/unseen" in host.do(WHO, "model", "ls").out
    assert "partial" not in host.do(WHO, "audit", "--full", "--json").json
    land(host, registry, registry.sign(registry.result(), by=["ky"]))
    host.do(WHO, "registry", "sync")
    git(host.home(WHO).mirror("r"), "fsck", "--strict")
    assert "is read already" in host.do(WHO, "registry", "widen", "--all", expect=2).err


def test_requests_in_scope_are_judged_and_others_are_not(
    host: Site, url: str, registry: Simulator
) -> None:
    add(host, url)
    land(host, registry, registry.sign(registry.result(), by=["ky"]), "requests/ky/result-1")
    land(host, registry, registry.sign(registry.model("maker/x"), by=["maker"]),
         "requests/maker/x")  # fmt: skip
    host.do(WHO, "registry", "sync")
    assert host.do(WHO, "request", "view", "ky/result-1", "--json").json["verdict"] == "complete"
    done = host.do(WHO, "request", "view", "maker/x", expect=1)
    assert f"reads only {BENCHMARK}" in done.err


def test_a_server_that_leaves_nothing_out(host: Site, url: str) -> None:
    git(host.host, "config", "uploadpack.allowFilter", "false")
    assert "NOT VERIFIED: 3 other records" in add(host, url)
    assert here(host, SEEN, UNSEEN) == [True, True]
    host.do(WHO, "registry", "sync")
    assert f"reads only {BENCHMARK}" in host.do(WHO, "model", "ls", expect=1).err


def test_an_older_protocol_needs_the_servers_leave(host: Site) -> None:
    """The protocol's version gets through sshd only where that is told so."""
    with over_ssh(host.folder / "ssh", host.host) as (url, environment):
        host.environment |= environment
        git(host.host, "config", "uploadpack.allowAnySHA1InWant", "false")
        said = add(host, url, expect=1)
        assert "does not give single files" in said
        assert "uploadpack.allowAnySHA1InWant" in said
        assert not host.home(WHO).configuration().registries
        git(host.host, "config", "uploadpack.allowAnySHA1InWant", "true")
        add(host, url)
        assert here(host, SEEN, UNSEEN) == [True, False]


def test_a_benchmark_that_is_not_there_or_no_name(host: Site) -> None:
    words = ("registry", "add", "r", str(host.host), "--genesis", host.genesis, "-b")
    assert "there is no benchmark chair/none" in host.do(WHO, *words, "chair/none", expect=2).err
    assert "registry, benchmarks" in host.do(WHO, *words, "Preterm", expect=2).err
    assert not host.home(WHO).configuration().registries


def test_a_file_that_is_withheld(host: Site) -> None:
    """A server without a file in scope: nothing is accepted without it."""
    with Repository.open(host.host) as repository:
        oid = git(repository.path, "rev-parse", f"main:{SEEN}")
    (host.host / "objects" / oid[:2] / oid[2:]).unlink()
    said = add(host, f"file://{host.host}", expect=1)
    assert oid in said or "not our ref" in said
    assert not host.home(WHO).configuration().registries


def test_entries_of_older_clients_read_everything() -> None:
    entry = RegistryEntry.model_validate({"name": "r", "url": "u", "genesis": "0" * 64})
    assert entry.benchmarks == ()


def test_gits_own_partial_clone_is_not_completed_by_reading(host: Site, tmp_path: Path) -> None:
    clone = tmp_path / "clone.git"
    how = ("-q", "--bare", "--filter=blob:none")
    subprocess.run(["git", "clone", *how, f"file://{host.host}", clone], check=True)
    done = host.do(WHO, "audit", "--git-dir", clone, "--genesis", host.genesis, expect=1)
    assert "missing or damaged" in done.err


def test_without_a_pinned_genesis_the_one_that_is_there_is_taken(host: Site, url: str) -> None:
    done = host.do(WHO, "registry", "add", "r", url, "-b", BENCHMARK, "--yes")
    assert f"genesis {host.genesis}" in done.out
    assert host.home(WHO).registry("r").genesis == host.genesis


def test_a_poisoned_memory_of_the_part_counts_for_nothing(host: Site, url: str) -> None:
    add(host, url)
    note = host.home(WHO).part("r")
    good = note.read_text()
    assert host.do(WHO, "audit", "--json").json["audited_before"]["commits"] > 0
    changes: dict[str, object] = {
        "folders": [], "coverage": {}, "rules": "0" * 64, "code": "0" * 64,
    }  # fmt: skip
    for name, value in changes.items():
        note.write_text(json.dumps({**json.loads(good), name: value}))
        report = host.do(WHO, "audit", "--json").json
        assert (report["verdict"], report["audited_before"]["commits"]) == ("accepted", 0)
