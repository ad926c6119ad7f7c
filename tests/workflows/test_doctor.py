"""The doctor: a healthy site, and one for each thing that can be wrong with it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medperf_git.runtime import machine, sandbox_engine
from medperf_git.runtime.cgroup import find_parents
from medperf_git.store.home import Home
from medperf_git.workflows import (
    doctor_engines,
    doctor_registry,
    doctor_site,
    storage_leftovers,
)
from medperf_git.workflows.observation import Observation, ok, problem
from tests.support import docker_engine
from tests.support.site import REGISTRY, Site, git


@pytest.fixture(autouse=True)
def _alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups and containers that other tests' killed clients left are not this site's."""
    if "groups_and_containers" not in request.node.name:
        monkeypatch.setattr(storage_leftovers, "stale_groups", lambda **_: [])
        monkeypatch.setattr(storage_leftovers, "_stale_containers", lambda **_: [])


def seen(site: Site, expect: int = 0) -> dict[str, dict[str, Any]]:
    """What the doctor says, the worst of each topic."""
    done = site.do("ky", "doctor", "--json", expect=expect)
    order = ("ok", "warning", "problem")
    found: dict[str, dict[str, Any]] = {}
    for each in done.json:
        before = found.get(each["topic"])
        if before is None or order.index(each["state"]) > order.index(before["state"]):
            found[each["topic"]] = each
    return found


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine is tried: for what has nothing to do with them."""
    monkeypatch.setattr(doctor_engines, "ENGINES", ("sandbox",))
    monkeypatch.setattr(doctor_engines, "_network", lambda name, *_: ok(name, ""))


def test_a_healthy_site_is_told_so(site: Site) -> None:
    docker_engine.ensure_docker()
    done = site.do("ky", "doctor")
    assert "problem " not in done.out
    found = seen(site)
    for name in ("sandbox", "docker"):
        assert found[name]["state"] == "ok"
        assert any(letter.isdigit() for letter in found[name]["text"])
        assert found[f"{name}, network"]["state"] == "ok"
        assert "reaches nothing" in found[f"{name}, network"]["text"]
    assert found["key default"]["text"] == f"here; signs in {REGISTRY}"
    assert "you are ky" in found[f"registry {REGISTRY}"]["text"]
    assert site.main()[:12] in found[f"registry {REGISTRY}"]["text"]
    for topic in ("git", "ssh-keygen", "site.yaml", "disk, data", "disk, cache", "clock",
                  "control groups", "patients' data", "leftovers"):  # fmt: skip
        assert found[topic]["state"] == "ok", found[topic]


def test_it_needs_no_registry(tmp_path: Path, quick: None) -> None:
    site = Site(tmp_path)
    found = seen(site)
    assert found["keys"]["advice"] == "mpgit key create"
    assert "registry add" in found["registries"]["advice"]


# --- what can be wrong -----------------------------------------------------------------------


def home(site: Site) -> Home:
    return site.home("ky")


def _open_key(site: Site) -> None:
    home(site).key("default").chmod(0o644)


def _lost_key(site: Site) -> None:
    for path in home(site).keys.iterdir():
        path.unlink()


def _other_key(site: Site) -> None:
    _lost_key(site)
    site.do("ky", "key", "create", "--no-passphrase")


def _broken_public_key(site: Site) -> None:
    (home(site).keys / "default.pub").write_text("ssh-rsa AAAA\n")


def _bad_rules(site: Site) -> None:
    home(site).site_file.write_text("engines: [qemu]\n")


def _open_rules(site: Site) -> None:
    home(site).site_file.chmod(0o666)


def _missing_artefacts(site: Site) -> None:
    site.rules("ky", artefacts=["/nowhere"])


def _open_data(site: Site) -> None:
    home(site).dataset(REGISTRY, "ky/opt").chmod(0o755)


def _group_data(site: Site) -> None:
    home(site).dataset(REGISTRY, "ky/opt").chmod(0o750)


def _host_away(site: Site) -> None:
    site.host.rename(site.folder / "away.git")


def _host_emptied(site: Site) -> None:
    git(site.host, "update-ref", "-d", "refs/heads/main")


def _news(site: Site) -> None:
    site.submit("oak", "newest")


def _no_mirror(site: Site) -> None:
    shutil.rmtree(home(site).mirror(REGISTRY))


def _waiting(site: Site) -> None:
    site.host.rename(site.folder / "away.git")
    site.do("ky", "withdraw", "dataset/ky/opt", "--reason", "x", "--yes", expect=1)
    (site.folder / "away.git").rename(site.host)


def _killed(site: Site) -> None:
    (home(site).dataset(REGISTRY, "ky/opt") / ".mpgit-abcd").mkdir()


WRONG: dict[str, tuple[Callable[[Site], None], str, str, str, str]] = {
    "open key": (_open_key, "key default", "problem", "others may read", "chmod 600"),
    "lost key": (_lost_key, f"key for {REGISTRY}", "problem", "an active one of ky's", "lost"),
    "other key": (_other_key, f"key for {REGISTRY}", "problem", "an active one of ky's", "lost"),
    "bad key": (_broken_public_key, "key default", "problem", "not an OpenSSH Ed25519", ""),
    "bad rules": (_bad_rules, "site.yaml", "problem", "engines.0", "data-owner.md"),
    "open rules": (_open_rules, "site.yaml", "problem", "others may change it", "chmod go-w"),
    "artefacts": (_missing_artefacts, "site.yaml", "warning", "no such folder", "edit"),
    "open data": (_open_data, "patients' data", "problem", "everybody may look", "chmod -R go="),
    "group data": (_group_data, "patients' data", "warning", "your group may", "chmod -R go="),
    "host away": (_host_away, f"registry {REGISTRY}", "warning", "no answer", "need no network"),
    "host empty": (_host_emptied, f"registry {REGISTRY}", "problem", "no branch main", "tell"),
    "news": (_news, f"registry {REGISTRY}", "warning", "main is at", "mpgit registry sync"),
    "no mirror": (_no_mirror, f"registry {REGISTRY}", "problem", "mirror", "mpgit registry add"),
    "outbox": (_waiting, f"registry {REGISTRY}, outbox", "warning", "wait to be sent: 1", "sync"),
    "killed": (_killed, "leftovers", "warning", "of killed runs: 1", "mpgit storage clean"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_with_advice(site: Site, quick: None, name: str) -> None:
    spoil, topic, state, text, advice = WRONG[name]
    spoil(site)
    found = seen(site, expect=1 if state == "problem" else 0)[topic]
    assert found["state"] == state
    assert text in found["text"]
    assert str(site.folder) not in found["text"].replace(str(site.host), "")
    assert advice in found.get("advice", "")
    plain = site.do("ky", "doctor", expect=1 if state == "problem" else 0)
    assert text in plain.out


def observed(observations: Iterator[Observation]) -> dict[str, Observation]:
    return {each.topic: each for each in observations}


def test_missing_and_old_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = observed(doctor_site.programs(Home(tmp_path)))
    assert (found["git"].state, found["ssh-keygen"].state) == ("problem", "warning")
    for name, text in (("git", "git version 2.20.1"), ("ssh", "OpenSSH_7.4p1"), ("ssh-keygen", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{text}' >&2\n")
        (tmp_path / name).chmod(0o755)
    found = observed(doctor_site.programs(Home(tmp_path)))
    assert "2.20.1 is too old" in found["git"].text
    assert "7.4p1 is too old" in found["ssh-keygen"].text


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(tmp_path)
    for blocks, state in ((0, "problem"), (2**30 // real.f_frsize, "warning")):
        values = list(real)
        values[4] = blocks  # f_bavail
        monkeypatch.setattr(os, "statvfs", lambda _path, v=values: os.statvfs_result(v))
        assert observed(doctor_site.disk(Home(tmp_path)))["disk, data"].state == state


def test_a_clock_that_is_behind(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3 * 24 * 3600)
    found = observed(doctor_registry.clock(site.home("ky")))["clock"]
    assert (found.state, "hours ahead" in found.text) == ("warning", True)
    monkeypatch.setattr(time, "time", lambda: now + 900 * 24 * 3600)
    assert observed(doctor_registry.clock(site.home("ky")))["clock"].state == "warning"


def test_no_engine_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    found = observed(doctor_engines.engines(Home(tmp_path)))
    assert found["engines"].state == "problem"
    assert found["sandbox"].state == "ok"  # not installed: nobody's fault
    (tmp_path / "bwrap").write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo bubblewrap 0.8.0 && exit\n"
        "echo 'No permissions to create new namespace' >&2; exit 1\n"
    )
    (tmp_path / "bwrap").chmod(0o755)
    switch = tmp_path / "switch"
    switch.write_text("0\n")
    monkeypatch.setattr(doctor_engines, "_SWITCHES", ((str(switch), "0", "sysctl kernel.x=1"),))
    found = observed(doctor_engines.engines(Home(tmp_path)))
    assert found["sandbox"].state == "warning"
    assert "No permissions to create new namespace" in found["sandbox"].text
    assert found["sandbox"].advice == "sysctl kernel.x=1"


def test_an_engine_that_the_site_forbids_is_not_tried(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.rules("ky", engines=["sandbox"])
    found = observed(doctor_engines.engines(site.home("ky")))
    assert found["docker"].text == "site.yaml does not allow it"
    assert "docker, network" not in found


def test_a_sandbox_with_a_network_is_a_problem(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.rules("ky", engines=["sandbox"])
    working = sandbox_engine._working_version
    open_one = [word for word in sandbox_engine._ISOLATION if word != "--unshare-net"]

    def then_open() -> str:
        version = working()
        monkeypatch.setattr(sandbox_engine, "_ISOLATION", tuple(open_one))
        return version

    monkeypatch.setattr(sandbox_engine, "_working_version", then_open)
    found = observed(doctor_engines.engines(site.home("ky")))["sandbox, network"]
    assert found.state == "problem"
    assert "a task has a network" in found.text
    assert "127.0.0.1" in found.text
    assert "site.yaml" in str(found.advice)


def test_limits_that_only_mpgit_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"memory", "pids"} <= set(find_parents())
    monkeypatch.setattr(doctor_engines, "find_parents", dict)
    found = observed(doctor_engines.limits(Home(tmp_path)))["control groups"]
    assert found.state == "warning"
    assert "systemd-run --user --scope" in str(found.advice)


@pytest.mark.parametrize(
    ("devices", "script", "state", "text"),
    [
        ((), None, "ok", "none"),
        (("0", "1"), None, "warning", "nvidia-smi does not work"),
        ((), "echo 'NVIDIA A100, 550.54'", "warning", "/dev/nvidia* is not"),
        (("0",), "echo 'NVIDIA A100, 550.54'", "ok", "0: NVIDIA A100, 550.54"),
        (("0",), "exit 9", "warning", "nvidia-smi does not work"),
    ],
)
def test_graphics_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, devices: tuple[str, ...],
    script: str | None, state: str, text: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(machine, "gpus", lambda: devices)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    if script is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    found = next(doctor_engines.gpus(Home(tmp_path)))
    assert found.state == state
    assert text in found.text


def test_no_address_shows_a_token(site: Site, quick: None) -> None:
    configuration = site.home("ky").config / "registries.json"
    address = "https://ky:token-4711@127.0.0.1:9/registry.git"
    configuration.write_text(configuration.read_text().replace(str(site.host), address))
    done = site.do("ky", "doctor")
    assert "127.0.0.1:9" in done.out
    assert "token-4711" not in done.text
    assert "4711" not in problem("x", f"no {address}", f"see {address}").as_dict().__repr__()
