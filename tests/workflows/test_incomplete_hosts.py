"""Hosts that leave objects out: nothing is accepted without them, and the next sync mends it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from medperf_git.store.change import write_files
from medperf_git.vcs import Repository
from tests.support.in_git import export
from tests.support.simulator import BENCHMARK, full_registry
from tests.support.site import REGISTRY, Site

WHO = "reader"
MAIN = "refs/heads/main"
AUTHOR = ("simulator", "simulator@example")
HOOK = """#!/bin/sh
exec "$@" --filter=blob:none
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    registry = full_registry()
    made = Site(tmp_path, registry.snapshot.identity)
    with Repository.create(made.host) as host:
        export(registry, host)
    return made


@pytest.fixture
def forgetful(tmp_path: Path) -> Path:
    """Settings with which a host sends no files, whatever it is asked for."""
    hook = tmp_path / "hook.sh"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[uploadpack]\n\tpackObjectsHook = {hook}\n")
    return settings


def land(site: Site) -> str:
    """Somebody registers a dataset."""
    registry = full_registry()
    files = registry.sign(registry.dataset("ky/new"), by=["ky"])
    with Repository.open(site.host) as host:
        main = host.resolve(MAIN)
        tree = write_files(host, host.commit(main).tree, files)
        oid = host.write_commit(tree, [main], "New", AUTHOR)
        host.set_ref(MAIN, oid)
    return oid


ADD = ("registry", "add", REGISTRY)


def test_what_a_host_leaves_out_is_asked_for_again(
    site: Site, forgetful: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.do(WHO, *ADD, site.host, "--genesis", site.genesis)
    oid = land(site)
    with monkeypatch.context() as patched:
        patched.setenv("GIT_CONFIG_GLOBAL", str(forgetful))
        for _ in range(2):
            done = site.do(WHO, "registry", "sync", expect=1)
            assert "can't fetch from" in done.err
            assert "Traceback" not in done.err
    assert site.do(WHO, "registry", "sync", "--json").json["head"] == oid
    assert "ky/new" in site.do(WHO, "dataset", "ls").out


def test_a_registry_without_its_files_is_not_added(
    site: Site, forgetful: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("GIT_CONFIG_GLOBAL", str(forgetful))
        site.do(WHO, *ADD, site.host, "--genesis", site.genesis, expect=1)
        assert not site.home(WHO).configuration().registries
    site.do(WHO, *ADD, site.host, "--genesis", site.genesis)


@pytest.fixture
def files_alone(site: Site) -> Iterator[str]:
    """The address of a web server that has the registry's files, and no git."""
    subprocess.run(["git", "-C", site.host, "update-server-info"], check=True)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site.host)))
    with server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_web_server_without_git_is_read_whole(site: Site, files_alone: str) -> None:
    said = site.do(WHO, *ADD, files_alone, "--genesis", site.genesis, "-b", BENCHMARK, expect=1)
    assert "does not give single files" in said.err
    assert "without --benchmark" in said.err
    site.do(WHO, *ADD, files_alone, "--genesis", site.genesis)
    assert "ky/opt" in site.do(WHO, "dataset", "ls").out


def test_many_syncs_leave_few_packs_and_an_ordinary_repository(site: Site) -> None:
    site.do(WHO, *ADD, site.host, "--genesis", site.genesis)
    packs = site.home(WHO).mirror(REGISTRY) / "objects" / "pack"
    with Repository.open(site.home(WHO).mirror(REGISTRY)) as mirror:
        for _ in range(60):
            land_nothing(site)
            mirror.fetch(str(site.host), ["+refs/heads/*:refs/remotes/origin/*"])
        assert mirror.find("refs/remotes/origin/main") is not None
    assert len(list(packs.glob("*.pack"))) <= 52
    assert not list(packs.glob("*.promisor"))
    assert "promisor" not in (packs.parent.parent / "config").read_text()
    assert json.loads(site.do(WHO, "registry", "sync", "--json").out)["verdict"] == "accepted"


def land_nothing(site: Site) -> None:
    """A commit that changes nothing."""
    with Repository.open(site.host) as host:
        main = host.resolve(MAIN)
        oid = host.write_commit(host.commit(main).tree, [main], f"After {main}", AUTHOR)
        host.set_ref(MAIN, oid)
