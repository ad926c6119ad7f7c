"""What the wheel holds."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from medperf_git import __version__
from medperf_git.records.kinds import KINDS
from medperf_git.records.schema import schema_file

TOP = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    command += ["--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    done = subprocess.run([*command, str(TOP)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.iterdir()
    return zipfile.ZipFile(path)


def test_the_schemas_are_inside(wheel: zipfile.ZipFile) -> None:
    for kind in KINDS:
        name = f"medperf_git/schemas/{schema_file(kind)}"
        assert wheel.read(name) == (TOP / name).read_bytes()


def test_nothing_but_the_package_is_inside(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"medperf_git", f"medperf_git-{__version__}.dist-info"}
    assert not [name for name in wheel.namelist() if name.endswith(".pyc")]


def test_the_metadata(wheel: zipfile.ZipFile) -> None:
    info = f"medperf_git-{__version__}.dist-info"
    metadata = HeaderParser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert metadata["Name"] == "medperf-git"
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert wheel.read(f"{info}/licenses/LICENSE") == (TOP / "LICENSE").read_bytes()


def test_the_command_is_named(wheel: zipfile.ZipFile) -> None:
    entries = wheel.read(f"medperf_git-{__version__}.dist-info/entry_points.txt").decode()
    assert "mpgit = medperf_git.cli.main:main" in entries
