from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medperf_git.canonical.digest import fingerprint
from medperf_git.records.container import ArchiveImage, ReferenceImage, SourceImage
from medperf_git.runtime.apptainer_engine import ApptainerEngine
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.docker_engine import DockerEngine
from medperf_git.runtime.docker_options import LABEL
from medperf_git.runtime.engine import Engine
from medperf_git.runtime.files import digest_tree
from medperf_git.runtime.owner import owner
from medperf_git.runtime.sandbox_engine import SandboxEngine
from tests.runtime.lab import ATTACKS, Lab
from tests.support import apptainer, docker_engine, podman


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artefact folder of the session."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture(scope="session")
def store(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> ArtefactStore:
    return ArtefactStore(tmp_path_factory.mktemp("cache"), [shelf])


@pytest.fixture(scope="session")
def source_image(shelf: Path) -> SourceImage:
    project = shelf / "project"
    project.mkdir()
    shutil.copy(ATTACKS, project / "attacks.py")
    files = digest_tree(project)
    return SourceImage(
        type="source",
        sha256=fingerprint(files),
        size=sum(file.size for file in files),
        files=len(files),
        path="project",
    )


@pytest.fixture(scope="session")
def reference_image(tmp_path_factory: pytest.TempPathFactory) -> ReferenceImage:
    registry = docker_engine.ensure_registry()
    context = tmp_path_factory.mktemp("context")
    shutil.copy(ATTACKS, context / "attacks.py")
    base = docker_engine.ensure_base_image()
    (context / "Dockerfile").write_text(
        f"FROM {base}\nVOLUME /scratch\nCOPY attacks.py /project/attacks.py\nWORKDIR /project\n"
    )
    tag = f"{registry}/mpgit/attacks:1"
    docker_engine.build_image(context, tag)
    return ReferenceImage(type="reference", reference=docker_engine.push_image(tag))


@pytest.fixture(scope="session")
def archive_image(reference_image: ReferenceImage, shelf: Path) -> ArchiveImage:
    path = shelf / "attacks.tar"
    save = ["docker", "save", "--output", str(path), reference_image.reference]
    subprocess.run(save, check=True)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return ArchiveImage(type="archive", sha256=sha256, size=path.stat().st_size, path=path.name)


@pytest.fixture(
    params=[
        "docker-reference",
        "sandbox-source",
        "sandbox-archive",
        *podman.only_here("podman-archive"),
        *apptainer.only_here("apptainer-archive"),
    ]
)
def lab(
    request: pytest.FixtureRequest,
    store: ArtefactStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Lab]:
    """Each engine with each type of image that takes another way through it."""
    name, kind = request.param.split("-")
    image = request.getfixturevalue(f"{kind}_image")
    makers: dict[str, Callable[[ArtefactStore], Engine]] = {
        "docker": DockerEngine,
        "podman": DockerEngine,
        "sandbox": SandboxEngine,
        "apptainer": ApptainerEngine,
    }
    if name == "podman":
        monkeypatch.setenv("DOCKER_HOST", podman.ensure())
    yield Lab(makers[name](store), image, store, tmp_path)
    # Nothing of a task may be left, whatever it did.
    assert not list(tmp_path.rglob(".mpgit-*"))
    assert not subprocess.run(
        ["docker", "ps", "--all", "--quiet", "--filter", f"label={LABEL}={owner()}"],
        capture_output=True,
        check=True,
    ).stdout


@pytest.fixture
def sandbox(store: ArtefactStore, source_image: SourceImage, tmp_path: Path) -> Lab:
    return Lab(SandboxEngine(store), source_image, store, tmp_path)


@pytest.fixture
def docker(store: ArtefactStore, reference_image: ReferenceImage, tmp_path: Path) -> Lab:
    return Lab(DockerEngine(store), reference_image, store, tmp_path)
