"""Bounds for a listing git: silence counts only while somebody waits, and memory is bounded."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medperf_git.git_patience import Patience, few_processes
from tests.support.patience import PATIENCE

HUNGRY = "print(len(bytearray(3 << 30)))"


def test_silence_counts_only_while_somebody_waits() -> None:
    with subprocess.Popen(["sleep", "600"]) as process, Patience(process, 0.1) as patience:
        time.sleep(0.5)
        assert process.poll() is None
        with patience.waiting():
            assert process.wait(PATIENCE) < 0


def test_memory_is_bounded() -> None:
    words = [sys.executable, "-c", f"input(); {HUNGRY}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        Patience(process)
        _, said = process.communicate(b"\n")
    assert process.returncode != 0
    assert b"MemoryError" in said


@pytest.mark.parametrize(("most", "killed"), [(2, True), (50, False)])
def test_a_swarm_of_git_dies(tmp_path: Path, *, most: int, killed: bool) -> None:
    git = tmp_path / "git-remote-x"
    shutil.copy("/bin/sleep", git)
    with few_processes(most):
        swarm = [subprocess.Popen([git, "2"]) for _ in range(3)]
        other = subprocess.Popen(["sleep", "2"])
        codes = [process.wait() for process in swarm]
    assert [code != 0 for code in codes] == [killed] * 3
    assert other.wait() == 0
