"""Whether bubblewrap works here is found out, whatever else the host is busy with."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medperf_git.runtime.sandbox_engine import _working_version

TRIALS = 200


@contextmanager
def mounts_come_and_go(folder: Path) -> Iterator[None]:
    """As where Docker or Podman starts and ends containers: a mount, and its folder with it."""
    if os.getuid() != 0:  # only root may mount; in CI tests are root's
        yield
        return
    over = threading.Event()

    def churn() -> None:
        while not over.is_set():
            folder.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=True)
            subprocess.run(["umount", str(folder)], check=True)
            folder.rmdir()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_other_peoples_mounts_do_not_matter(tmp_path: Path) -> None:
    """With the whole host in the trial's root, one in fifty failed."""
    with mounts_come_and_go(tmp_path / "merged"):
        for _ in range(TRIALS):
            assert _working_version()
