"""Where containers run: which engine is taken, and that it is said once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.canonical.digest import fingerprint
from medperf_git.errors import EngineError
from medperf_git.records.container import Container, Resources, SourceImage
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.files import digest_tree
from medperf_git.workflows.workplace import Workplace
from tests.runtime import small_image


@pytest.fixture
def container(tmp_path: Path) -> Container:
    project = tmp_path / "shelf" / "project"
    project.mkdir(parents=True)
    (project / "main.py").write_text("print('hello')\n")
    files = digest_tree(project)
    size = sum(file.size for file in files)
    image = SourceImage(
        type="source", sha256=fingerprint(files), size=size, files=len(files), path=project.name
    )
    return Container(image=image, tasks={}, resources=Resources())


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(ArtefactStore(tmp_path / "cache", [tmp_path / "shelf"]), engine_name="auto")


def test_which_engine_was_taken_is_said_once(place: Workplace, container: Container) -> None:
    said: list[str] = []
    place.tell = said.append
    # Each model of a run has a place of its own, made of the same one.
    for _ in range(3):
        assert replace(place).choose(container).name == "sandbox"
    assert len(said) == 1
    assert said[0].startswith("engine: sandbox bubblewrap ")


def test_an_engine_that_the_site_does_not_allow_is_not_taken(
    place: Workplace, container: Container
) -> None:
    place.allowed = ("docker",)
    with pytest.raises(EngineError, match="does not allow the engine sandbox") as caught:
        place.choose(container)
    assert caught.value.code == "engine-not-allowed"
    assert caught.value.advice == "site.yaml allows docker"


def test_an_image_that_the_sandbox_cannot_read_goes_to_the_next_engine(tmp_path: Path) -> None:
    image, store = small_image.on_shelf(tmp_path, small_image.oci_archive(small_image.ZSTD))
    packed = Container(image=image, tasks={}, resources=Resources())
    said: list[str] = []
    place = Workplace(store, engine_name="auto", tell=said.append)
    assert place.choose(packed).name in {"docker", "podman"}
    assert [line.split()[1] for line in said] == ["sandbox", "docker"]
    # Where there is no other, what is wrong with the image is said, not what is not here.
    for only in (replace(place, allowed=("sandbox",)), replace(place, engine_name="sandbox")):
        with pytest.raises(EngineError, match="Zstandard") as caught:
            only.choose(packed)
        assert caught.value.code == "image-not-admitted"
