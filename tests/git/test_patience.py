"""Bounds for a listing git: silence counts only while somebody waits, and memory is bounded."""

from __future__ import annotations

import subprocess
import sys
import time

from medperf_git.git.patience import Patience
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
