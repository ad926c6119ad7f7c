"""Both archive formats, with each compression, through every engine: one report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from medperf_git.errors import EngineError
from medperf_git.runtime.apptainer_engine import ApptainerEngine
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.docker_engine import DockerEngine
from medperf_git.runtime.engine import Engine
from medperf_git.runtime.sandbox_engine import SandboxEngine
from tests.runtime import small_image
from tests.runtime.small_image import GZIP, PLAIN, REPORT, ZSTD, Compression
from tests.support import apptainer

FORMATS = [small_image.docker_archive, small_image.oci_archive]
Make = Callable[[ArtefactStore], Engine]


@pytest.fixture(params=[DockerEngine, SandboxEngine, *apptainer.only_here(ApptainerEngine)])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


@pytest.mark.parametrize("pack", FORMATS)
@pytest.mark.parametrize("compression", [PLAIN, GZIP, ZSTD], ids=["plain", "gzip", "zstd"])
def test_entrypoint_folder_variables_and_layers_are_the_images(
    tmp_path: Path, make: Make, pack: Callable[[Compression], bytes], compression: Compression
) -> None:
    image, store = small_image.on_shelf(tmp_path, pack(compression))
    if make is SandboxEngine and compression is ZSTD:
        with pytest.raises(EngineError, match="Zstandard") as caught:
            make(store).provide(image)
        assert "--engine docker" in str(caught.value.advice)
        return
    assert small_image.report(make(store), image, tmp_path) == REPORT
