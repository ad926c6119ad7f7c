"""A Podman engine of the tests' own, behind its socket: `DOCKER_HOST` leads there.

Only root's, and apart from any other: storage, settings and socket lie in one folder. It needs
`podman`, `catatonit` and `runc`, which `tools/test_needs.sh` installs.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest

GROUP = pytest.mark.xdist_group("podman")
"""One worker starts it and loads an image once."""
_START_SECONDS = 120.0
_IDLE_SECONDS = 900
"""It ends by itself when tests were killed."""
_CONF = """\
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""


def is_here() -> bool:
    """Whether one can be started."""
    return os.getuid() == 0 and all(shutil.which(name) for name in ("podman", "runc"))


def only_here(*values: Any) -> list[Any]:
    """Test parameters that need it: none without it, rather than tests that do not run."""
    return [pytest.param(value, marks=GROUP) for value in values] if is_here() else []


@cache
def ensure() -> str:
    """The `DOCKER_HOST` of a service that runs until this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="mpgit-podman-"))
    (folder / "containers.conf").write_text(_CONF)
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/root"\nrunroot = "{folder}/run"\n'
    )
    settings = {
        **os.environ,
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
    }
    host = f"unix://{folder}/socket"
    with (folder / "log").open("wb") as log:
        service = subprocess.Popen(
            ["podman", "system", "service", f"--time={_IDLE_SECONDS}", host],
            cwd=folder,  # its monitor leaves a file there when something ran out of memory
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=settings,
        )  # fmt: skip

    def end() -> None:
        service.terminate()
        service.wait(10)
        reset = ["podman", "system", "reset", "--force"]
        subprocess.run(reset, env=settings, capture_output=True, check=False, timeout=60)
        # Its storage stays mounted on itself.
        for mount in (folder / "root" / "overlay", folder / "run"):
            subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    deadline = time.monotonic() + _START_SECONDS
    while not (folder / "socket").exists():
        if service.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError((folder / "log").read_text()[-2000:])
        time.sleep(0.1)
    return host
