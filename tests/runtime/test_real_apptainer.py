"""A real Apptainer: references, the SIF cache, users who are not root, and what it must refuse.

The tests of all engines run it too, as `apptainer-archive`. Here is what only it does. None of
this is collected where there is no Apptainer; the session's first lines say so.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medperf_git.errors import ArtefactError, EngineError, ExecutionError
from medperf_git.records.container import ReferenceImage
from medperf_git.runtime import apptainer_image, apptainer_process
from medperf_git.runtime.apptainer_engine import ApptainerEngine
from medperf_git.runtime.apptainer_process import remove_stale
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.interrupt import Interrupted
from tests.runtime import drive, small_image
from tests.runtime.lab import SMALL, Lab
from tests.support import apptainer, docker_engine
from tests.support.patience import PATIENCE, until

NOBODY = 65534
pytestmark = apptainer.GROUP


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test here needs a real one."""
    metafunc.parametrize("real", [str(apptainer.program())] if apptainer.program() else [])


@pytest.fixture(scope="session")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> ReferenceImage:
    """The small image in a registry of our own, with an entrypoint and a working folder."""
    context = tmp_path_factory.mktemp("small")
    small_image.on_shelf(context, small_image.docker_archive())
    loaded = ["docker", "load", "--quiet", "--input", str(context / "shelf" / "image.tar")]
    subprocess.run(loaded, check=True, capture_output=True)
    tag = f"{docker_engine.ensure_registry()}/mpgit/small:1"
    subprocess.run(["docker", "tag", "busy:1", tag], check=True)
    return ReferenceImage(type="reference", reference=docker_engine.push_image(tag))


def test_a_reference_is_pulled_by_digest_converted_once_and_started_as_it_wants(
    real: str, pushed: ReferenceImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArtefactStore(tmp_path / "cache")
    engine = ApptainerEngine(store)
    assert small_image.report(engine, pushed, tmp_path) == small_image.REPORT
    (kept,) = (tmp_path / "cache" / "sif").iterdir()
    assert kept.name == f"{pushed.digest}-apptainer-1"
    assert sorted(path.name for path in kept.iterdir()) == ["image.sif", "start.json"]
    assert not list((tmp_path / "cache" / "tmp").iterdir())
    monkeypatch.setattr(apptainer_image, "_build", None)
    engine.provide(pushed)


def test_another_digest_or_no_registry_is_refused(
    real: str, pushed: ReferenceImage, tmp_path: Path
) -> None:
    engine = ApptainerEngine(ArtefactStore(tmp_path / "cache"))
    repository = pushed.reference.partition("@")[0]
    cases = {
        f"{repository}@sha256:{'ab' * 32}": "image-digest",
        f"127.0.0.1:9/a@sha256:{'ab' * 32}": "image-missing",
    }
    for reference, code in cases.items():
        with pytest.raises(ArtefactError) as caught:
            engine.provide(ReferenceImage(type="reference", reference=reference))
        assert (caught.value.code, caught.value.place) == (code, reference)
    assert not list((tmp_path / "cache").rglob("*.sif"))


def test_what_is_no_image_is_not_converted(real: str, tmp_path: Path) -> None:
    image, store = small_image.on_shelf(tmp_path, b"no image")
    with pytest.raises(ArtefactError) as caught:
        ApptainerEngine(store).provide(image)
    assert caught.value.code == "bad-archive"


@pytest.fixture
def small(real: str, tmp_path: Path) -> Any:
    """A small image and its store, as an archive."""
    return small_image.on_shelf(tmp_path, small_image.oci_archive())


@pytest.mark.parametrize(
    "left_out",
    [
        "--net|--network|none",
        "--containall|--pid",
        "--no-privs|--drop-caps|all",
        "--security|seccomp:.*",
    ],
)
def test_an_apptainer_that_ignores_an_option_runs_nothing(
    real: str, small: Any, left_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a site's apptainer.conf may make it do: a wrapper leaves options out."""
    program = apptainer.program()
    assert program is not None
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin" / "apptainer"
    wrapper.write_text(
        "#!/bin/bash\nkept=()\n"
        f'for word; do [[ $word =~ ^({left_out})$ ]] || kept+=("$word"); done\n'
        f'exec {program.path} "${{kept[@]}}"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    with pytest.raises(EngineError) as caught:
        ApptainerEngine(small[1])
    # A root without every capability can't hand them on: then there is no container at all.
    allowed = {"isolation", "engine-missing"} if "privs" in left_out else {"isolation"}
    assert caught.value.code in allowed


def test_a_container_that_shares_our_network_is_killed(
    small: Any, real: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the trial passed, and the container not: what the kernel says counts."""
    image, store = small
    engine = ApptainerEngine(store)
    engine.provide(image)
    monkeypatch.setattr(apptainer_process, "shared", lambda _pid: "network")
    monkeypatch.setattr(apptainer_process, "_APART_SECONDS", -1.0)
    with pytest.raises(EngineError, match="this machine's network") as caught:
        small_image.report(engine, image, tmp_path)
    assert caught.value.code == "isolation"
    assert not list((tmp_path / "output").iterdir())


def test_another_file_system_inside_an_input_is_refused(
    small: Any, real: str, tmp_path: Path
) -> None:
    inside = tmp_path / "data" / "inside it"
    lab = Lab(ApptainerEngine(small[1]), small[0], small[1], tmp_path)
    job = lab.job("x")
    inside.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "test", str(inside)], check=True)
    try:
        with pytest.raises(ExecutionError, match="inside it") as caught:
            lab.engine.run(job)
    finally:
        subprocess.run(["umount", str(inside)], check=True)
    assert caught.value.code == "submount"


def test_a_run_that_is_stopped_at_any_moment_leaves_nothing(
    small: Any, real: str, tmp_path: Path
) -> None:
    image, store = small
    lab = Lab(ApptainerEngine(store), image, store, tmp_path)
    lab.engine.provide(image)
    for milliseconds in (0, 20, 60, 120, 200, 300):
        stop = Interrupted()

        def soon(stop: Interrupted = stop, wait: int = milliseconds) -> None:
            time.sleep(wait / 1000)
            stop.by = "a test"

        thread = threading.Thread(target=soon)
        thread.start()
        container = lab.job("x").container
        task = container.tasks["infer"].model_copy(update={"command": ("forever",)})
        slow = container.model_copy(update={"tasks": {"infer": task}})
        with pytest.raises(ExecutionError) as caught:
            lab.run("x", SMALL, container=slow, stop=stop)
        thread.join()
        assert caught.value.code == "interrupted"
        assert not _ours(tmp_path)
    assert not list((store.cache / "tmp").iterdir())


def _ours(folder: Path) -> list[str]:
    """What still runs with a folder of the test's own; others may test on this machine too."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            opened = [each.readlink() for each in (path / "fd").iterdir()]
            named = str(folder).encode() in (path / "environ").read_bytes()
            if named or any(target.is_relative_to(folder) for target in opened):
                found.append(f"{path.name} {(path / 'comm').read_text().strip()}")
    return [line for line in found if line.split()[1] in PROGRAMS]


PROGRAMS = {"starter", "appinit", "squashfuse", "squashfuse_ll", "python3", "bash", "sh"}


# --- a user who is not root, without control groups ------------------------------------------


@pytest.fixture(scope="module")
def site(archive_image: Any, store: ArtefactStore, shelf: Path) -> Iterator[Path]:
    """Folders that an unprivileged user may use, with the converted image of attacks."""
    if apptainer.program() is None:
        yield Path()
        return
    ApptainerEngine(store).provide(archive_image)
    folder = Path("/var/tmp") / f"mpgit-apptainer-{os.getpid()}"  # noqa: S108
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("store", "shelf"):
        (folder / name).mkdir(parents=True)
    shutil.copytree(store.cache / "sif", folder / "store" / "sif")
    for path in (folder / "store", *(folder / "store").rglob("*")):
        shutil.chown(path, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def start(site: Path, image: Any, attack: str, **limits: float) -> Any:
    """A child that becomes another user, and the end of the pipe on which it reports."""
    shutil.rmtree(site / "work", ignore_errors=True)
    (site / "work").mkdir()
    shutil.chown(site / "work", NOBODY, NOBODY)
    job = {
        "image": image.model_dump(),
        "store": str(site / "store"),
        "shelf": str(site / "shelf"),
        "folder": str(site / "work"),
        "attack": attack,
        "user": NOBODY,
        "limits": limits,
    }
    parent, child = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=lambda: child.send(drive.main("apptainer", job))
    )
    process.start()
    child.close()
    return process, parent


@pytest.fixture
def unprivileged(site: Path, archive_image: Any) -> Any:
    def run(attack: str, **limits: float) -> dict[str, Any]:
        process, pipe = start(site, archive_image, attack, **limits)
        try:
            outcome: dict[str, Any] = pipe.recv()
        finally:
            process.join(30)
            pipe.close()
        return outcome

    return run


def test_a_user_has_the_same_isolation_and_is_told_who_limits(unprivileged: Any, real: str) -> None:
    outcome = unprivileged("identity")
    assert outcome["report"]["uid"] == NOBODY
    assert [int(value, 16) for value in outcome["report"]["capabilities"]] == [0, 0, 0, 0]
    isolation = outcome["step"]["isolation"]
    assert isolation["user"] == f"{NOBODY}:{NOBODY}"
    enforced = {name: isolation[name]["enforced_by"] for name in ("memory_mb", "processes", "cpus")}
    assert enforced == {"memory_mb": "watchdog", "processes": "watchdog", "cpus": "none"}


@pytest.mark.parametrize("attack", ["write_everywhere", "become_root"])
def test_a_user_gains_nothing(unprivileged: Any, attack: str, real: str) -> None:
    assert unprivileged(attack)["report"] == []


LIMITS = {
    "fork_bomb": ({"memory_mb": 1024}, {"process-limit"}),
    "fill_memory": ({"memory_mb": 64}, {"memory-limit"}),
    "fill_shared_memory": ({"memory_mb": 64}, {"memory-limit"}),
    "hang": ({"seconds": 2}, {"time-limit"}),
}


@pytest.mark.parametrize("attack", LIMITS)
def test_a_users_task_is_limited(unprivileged: Any, attack: str, real: str) -> None:
    limits, codes = LIMITS[attack]
    assert unprivileged(attack, **limits)["error"]["code"] in codes


def test_what_a_killed_user_leaves_is_removed_by_the_next(
    site: Path, archive_image: Any, real: str
) -> None:
    process, pipe = start(site, archive_image, "hang", seconds=300)
    until(lambda: "hanging" in _text(site / "work" / "logs" / "infer.stdout"))
    assert {"starter", "squashfuse_ll"} <= {line.split()[1] for line in _ours(site)}
    os.kill(process.pid, signal.SIGKILL)
    process.join(PATIENCE)
    pipe.close()
    until(lambda: not any("starter" in line for line in _ours(site)))

    # What served the image knows of nobody's end; whoever comes next ends it.
    def ended() -> bool:
        remove_stale(site / "store" / "sif")
        return not any("squashfuse" in line for line in _ours(site))

    until(ended)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def test_a_user_converts_images_too(real: str, small: Any, site: Path) -> None:
    image, _ = small
    shutil.copy(small[1].folders[0] / "image.tar", site / "shelf" / "image.tar")
    (site / "shelf" / "image.tar").chmod(0o644)

    def convert(pipe: Any) -> None:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        store = ArtefactStore(site / "store", [site / "shelf"])
        engine = ApptainerEngine(store)
        engine.provide(image)
        pipe.send([path.name for path in (site / "store" / "sif").iterdir()])

    parent, child = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=convert, args=(child,))
    process.start()
    child.close()
    assert f"{image.sha256}-apptainer-1" in parent.recv()
    process.join(10)


def test_a_finished_task_tells_its_limits_as_root(real: str, small: Any, tmp_path: Path) -> None:
    image, store = small
    lab = Lab(ApptainerEngine(store, use_cgroups=False), image, store, tmp_path)
    step = lab.run("x", replace(SMALL, processes=100))
    assert step.isolation.memory_mb.enforced_by == "watchdog"
    assert step.isolation.processes.enforced_by == "watchdog"
    assert step.isolation.cpus.enforced_by == "none"
    facts = json.loads(lab.log.facts.read_text())
    assert facts["engine"]["name"] == "apptainer"
    assert facts["command"][:2] == ["/bin/bash", "/start.sh"]
