"""The probe tells a task without network from one that has some, on every engine."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medperf_git.errors import EngineError
from medperf_git.runtime import docker_options, probe, sandbox_engine
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.engine import Engine
from medperf_git.runtime.engines import find_engine
from medperf_git.runtime.image_archive import ImageArchive
from medperf_git.runtime.sandbox_engine import SandboxEngine
from tests.support import apptainer, docker_engine


@pytest.fixture(autouse=True, scope="module")
def _docker() -> None:
    docker_engine.ensure_docker()


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Engine]:
    return lambda name: find_engine(
        name, [], ArtefactStore(tmp_path / "cache", [tmp_path / "shelf"])
    )


@pytest.mark.parametrize("name", ["sandbox", "docker", *apptainer.only_here("apptainer")])
def test_our_engines_give_no_network(
    make: Callable[[str], Engine], tmp_path: Path, name: str
) -> None:
    seen = probe.probe(make(name), tmp_path)
    assert seen.isolated
    assert seen.interfaces == ("lo",)


def test_the_image_made_of_bash_runs_in_the_sandbox_too(
    make: Callable[[str], Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SandboxEngine, "admits", lambda _self, image: image.type == "archive")
    assert probe.probe(make("sandbox"), tmp_path).interfaces == ("lo",)


@pytest.mark.parametrize("kind", ["source", "archive"])
def test_a_sandbox_that_shares_the_network_is_seen(
    make: Callable[[str], Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    open_one = [word for word in sandbox_engine._ISOLATION if word != "--unshare-net"]
    engine = make("sandbox")
    monkeypatch.setattr(sandbox_engine, "_ISOLATION", tuple(open_one))
    monkeypatch.setattr(SandboxEngine, "admits", lambda _self, image: image.type == kind)
    seen = probe.probe(engine, tmp_path)
    assert not seen.isolated
    assert "127.0.0.1" in seen.reached


def test_a_docker_that_shares_the_network_is_seen(
    make: Callable[[str], Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = docker_options.container_options

    def open_one(*words: Any) -> dict[str, Any]:
        return {**original(*words), "network_mode": "host", "hostname": None}

    monkeypatch.setattr(docker_options, "container_options", open_one)
    engine = make("docker")
    limits = docker_options.isolation_in_force

    def forgiving(attributes: Any, info: Any, given: Any) -> dict[str, Any]:
        host = {**attributes["HostConfig"], "NetworkMode": "none"}
        return limits({**attributes, "HostConfig": host}, info, given)

    # An engine that says one thing and does another: what is read back would not show it.
    monkeypatch.setattr(docker_options, "isolation_in_force", forgiving)
    seen = probe.probe(engine, tmp_path)
    assert "127.0.0.1" in seen.reached


def test_docker_keeps_no_image_of_it(make: Callable[[str], Engine], tmp_path: Path) -> None:
    probe.probe(make("docker"), tmp_path)
    with ImageArchive(tmp_path / "shelf" / "probe.tar") as archive:
        found = ["docker", "image", "inspect", archive.image_id]
    assert subprocess.run(found, capture_output=True, check=False).returncode == 1


def test_without_a_bash_it_says_that_nothing_was_tested(
    make: Callable[[str], Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make("docker")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError) as caught:
        probe.probe(engine, tmp_path)
    assert caught.value.code == "no-probe"
    assert caught.value.advice
