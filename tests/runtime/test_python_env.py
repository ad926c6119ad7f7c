from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from medperf_git.records.container import SourceImage
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.sandbox_engine import SandboxEngine
from tests.runtime.lab import VOLUMES, Lab, container

WHICH = f"import sys; open('{VOLUMES}/predictions/prefix', 'w').write(sys.prefix)"


def test_an_environment_below_tmp_is_there_in_the_sandbox(
    store: ArtefactStore, source_image: SourceImage, tmp_path: Path
) -> None:
    # Where many a checkout lies; a task's own /tmp is mounted over the machine's.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        environment = Path(folder) / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        lab = Lab(
            SandboxEngine(store, environment / "bin" / "python"), source_image, store, tmp_path
        )
        usual = container(source_image, "-")
        task = usual.tasks["infer"].model_copy(update={"command": ("python3", "-c", WHICH)})
        lab.run("-", container=usual.model_copy(update={"tasks": {**usual.tasks, "infer": task}}))
        assert (lab.output / "prefix").read_text() == str(environment)
