from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from medperf_git.errors import ArtefactError, EngineError, ExecutionError, InputError
from medperf_git.records.container import (
    ArchiveImage,
    Image,
    ReferenceImage,
    Resources,
    SourceImage,
)
from medperf_git.runtime import docker_options, sandbox_engine
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.docker_engine import DockerEngine
from medperf_git.runtime.engine import caller
from medperf_git.runtime.engines import find_engine
from medperf_git.runtime.limits import Cap, combine, shortfalls
from medperf_git.runtime.mounts import Mount
from medperf_git.runtime.owner import owner
from medperf_git.runtime.python_env import inspect_python
from tests.runtime.lab import SMALL, Lab

FORBIDDEN = """#!/bin/sh
[ $1 = --version ] && echo bubblewrap 0.8.0 && exit
echo 'Operation not permitted' >&2; exit 1
"""


def test_the_image_decides(
    store: ArtefactStore,
    source_image: SourceImage,
    reference_image: ReferenceImage,
    archive_image: ArchiveImage,
) -> None:
    assert find_engine(None, [source_image], store).name == "sandbox"
    assert find_engine(None, [source_image, archive_image], store).name == "sandbox"
    assert find_engine(None, [archive_image], store).name == "sandbox"
    assert find_engine(None, [reference_image, archive_image], store).name == "docker"
    assert find_engine("docker", [archive_image], store).name == "docker"
    cases: list[tuple[str | None, list[Image]]] = [
        ("docker", [source_image]),
        ("sandbox", [reference_image]),
        (None, [source_image, reference_image]),
    ]
    for preference, images in cases:
        with pytest.raises(EngineError) as caught:
            find_engine(preference, images, store)
        assert caught.value.code == "image-not-admitted"
        assert caught.value.advice
    with pytest.raises(InputError, match="no engine is called rkt"):
        find_engine("rkt", [], store)


def test_a_missing_docker_is_said(
    store: ArtefactStore, reference_image: ReferenceImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in ("unix:///nowhere/docker.sock", "tcp://127.0.0.1:9", "nonsense"):
        monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(EngineError) as caught:
            find_engine("docker", [reference_image], store)
        assert caught.value.code == "engine-missing"
        assert "DOCKER_HOST" in str(caught.value.advice)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "not installed"),
        ("#!/bin/sh\necho bubblewrap 0.4.1\n", "too old"),
        (FORBIDDEN, "Operation not permitted"),
        ("#!/bin/sh\nexit 0\n", "does not run"),
    ],
)  # fmt: skip
def test_a_missing_sandbox_is_said(
    sandbox: Lab, monkeypatch: pytest.MonkeyPatch, script: str | None, message: str
) -> None:
    tmp_path = sandbox.folder
    if script is not None:
        (tmp_path / "bwrap").write_text(script)
        (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not sandbox_engine.available()
    with pytest.raises(EngineError, match=message) as caught:
        find_engine(None, [sandbox.image], sandbox.artefacts)
    assert caught.value.code == "engine-missing"
    assert "bubblewrap" in str(caught.value.advice)


def test_an_archive_falls_back_to_docker_and_then_to_advice(
    store: ArtefactStore,
    archive_image: ArchiveImage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No program is found: neither bubblewrap nor Apptainer.
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_engine(None, [archive_image], store).name == "docker"
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(EngineError, match=r"sandbox: .*docker: ") as caught:
        find_engine(None, [archive_image], store)
    assert caught.value.code == "engine-missing"


def test_another_digest_in_the_registry_is_refused(
    store: ArtefactStore, reference_image: ReferenceImage
) -> None:
    repository = reference_image.reference.partition("@")[0]
    other = ReferenceImage(type="reference", reference=f"{repository}@sha256:{'ab' * 32}")
    with pytest.raises(ArtefactError) as caught:
        DockerEngine(store).provide(other)
    assert caught.value.code == "image-digest"
    nowhere = ReferenceImage(type="reference", reference=f"127.0.0.1:9/a@sha256:{'ab' * 32}")
    with pytest.raises(ArtefactError) as caught:
        DockerEngine(store).provide(nowhere)
    assert caught.value.code == "image-missing"


def test_an_absent_image_is_pulled_by_its_digest(docker: Lab) -> None:
    assert isinstance(docker.image, ReferenceImage)
    reference = docker.image.reference
    tags = subprocess.run(
        ["docker", "image", "rm", "--force", reference, f"{reference.partition('@')[0]}:1"],
        check=False, capture_output=True,
    )  # fmt: skip
    assert tags.returncode == 0
    docker.run("well_behaved")


def test_a_moved_tag_changes_nothing(docker: Lab) -> None:
    assert isinstance(docker.image, ReferenceImage)
    tag = docker.image.reference.partition("@")[0] + ":1"
    subprocess.run(["docker", "tag", "preterm-base:1", tag], check=True)
    docker.run("well_behaved")


def test_an_archive_runs_on_docker_without_taking_tags(
    docker: Lab, archive_image: ArchiveImage, tmp_path: Path
) -> None:
    docker.image = archive_image
    step = docker.run("well_behaved")
    assert (step.image_type, step.image) == ("archive", archive_image.sha256)


def test_a_changed_archive_is_refused_by_both(
    lab: Lab, archive_image: ArchiveImage, tmp_path: Path
) -> None:
    (tmp_path / "changed.tar").write_bytes(b"x" * 1024)
    changed = ArchiveImage(type="archive", sha256="ab" * 32, size=1024, path="changed.tar")
    store = ArtefactStore(tmp_path / "cache", [tmp_path])
    lab.engine = find_engine(lab.engine.name, [changed], store)
    with pytest.raises(ArtefactError) as caught:
        lab.engine.provide(changed)
    assert caught.value.code == "artefact-digest"


def test_versions_are_told(lab: Lab) -> None:
    described = lab.engine.describe()
    assert described.name == lab.engine.name
    assert any(character.isdigit() for character in described.version)


def test_an_engine_that_leaves_out_isolation_is_refused() -> None:
    host = {
        "NetworkMode": "none", "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True, "Memory": SMALL.memory_bytes, "PidsLimit": 27, "NanoCpus": 1,
    }  # fmt: skip
    good = {"HostConfig": host, "Config": {"User": caller()}}
    info = {"MemoryLimit": True}
    isolation = docker_options.isolation_in_force(good, info, SMALL)
    assert isolation["memory_mb"].enforced_by == "cgroup"
    told = docker_options.isolation_in_force(
        good, {"MemoryLimit": False, "PidsLimit": False, "CpuCfsQuota": False}, SMALL
    )
    for name in ("memory_mb", "processes", "cpus"):
        assert told[name].enforced_by == "none"
    for key, value in [("NetworkMode", "host"), ("CapDrop", []), ("SecurityOpt", None),
                       ("ReadonlyRootfs", False), ("Privileged", True)]:  # fmt: skip
        bad = {**good, "HostConfig": {**host, key: value}}
        with pytest.raises(EngineError) as caught:
            docker_options.isolation_in_force(bad, info, SMALL)
        assert caught.value.code == "isolation"


def test_a_mount_inside_an_input_is_refused_for_old_dockers(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text("1 2 0:1 / /data/images/nfs rw - nfs x rw\n")
    inside = [Mount(Path("/data/images"), "/data", writable=False)]
    with pytest.raises(ExecutionError) as caught:
        docker_options.refuse_submounts(inside, "1.41", mountinfo)
    assert caught.value.code == "submount"
    docker_options.refuse_submounts(inside, "1.44", mountinfo)
    docker_options.refuse_submounts(
        [Mount(Path("/data/i"), "/d", writable=False)], "1.41", mountinfo
    )


def test_a_python_that_does_not_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        inspect_python(tmp_path / "python")
    assert caught.value.code == "python-missing"


def test_a_site_may_give_less_and_never_more() -> None:
    asked = Resources(memory_mb=1000, seconds=10)
    assert combine(asked) == combine(asked, Cap(memory_mb=5000, seconds=50))
    assert combine(asked, Cap(memory_mb=500)).memory_mb == 500
    assert shortfalls(asked, Cap(memory_mb=500, seconds=20)) == [
        "memory_mb: asks for 1000, the site gives 500"
    ]
    assert not shortfalls(asked, None)


def test_looking_for_engines_does_not_import_docker() -> None:
    code = "import sys, medperf_git.runtime.engines; sys.exit('docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_container_that_somebody_removes_is_no_crash(docker: Lab) -> None:
    def remove() -> None:
        ours = f"label={docker_options.LABEL}={owner()}"
        listed = ["docker", "ps", "--quiet", "--filter", ours]
        while not (found := subprocess.run(listed, capture_output=True, check=True).stdout.split()):
            time.sleep(0.1)
        subprocess.run(["docker", "rm", "--force", *found], check=True, capture_output=True)

    thread = threading.Thread(target=remove)
    thread.start()
    with pytest.raises(EngineError) as caught:
        docker.run("hang")
    thread.join()
    assert caught.value.code == "engine-failed"
    assert not list(docker.output.iterdir())
