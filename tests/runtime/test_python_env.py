from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from medperf_git.records.container import SourceImage
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.python_env import inspect_python
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


def test_our_own_interpreter_says_the_same_when_it_is_asked() -> None:
    own = inspect_python()
    assert own == inspect_python(Path(sys.executable))
    assert "pyyaml" in own.software


def test_what_only_our_own_path_has_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "torch-9.9.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "torch" not in inspect_python.__wrapped__().software
