"""A Docker engine, a registry and a base image for tests, made here where they are missing.

Nothing is pulled: packages come from the distribution's archive, images from mmdebstrap. The
engine stays after the tests, the registry ends with the process that started it.

Example::

    ensure_docker()
    registry = ensure_registry()          # "127.0.0.1:40123"
    base = ensure_base_image()            # python3 with numpy, scipy and scikit-learn
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, Final

from medperf_git.atomic import lock
from tools import demo_images

_PACKAGES: Final = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "docker-registry": "docker-registry",
    "mmdebstrap": "mmdebstrap",
}
_START_SECONDS: Final = 60.0
_LOCKS: Final = Path(tempfile.gettempdir()) / f"mpgit-tests-{os.getuid()}"


def _ensure_programs(*programs: str) -> None:
    """Install what is missing, as root; say what to install otherwise."""
    missing = sorted({_PACKAGES[name] for name in programs if shutil.which(name) is None})
    if not missing:
        return
    if os.getuid() != 0:
        raise RuntimeError(f"these tests need {missing}: sudo apt-get install {' '.join(missing)}")
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    settings = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if subprocess.run(install, env=settings, check=False, capture_output=True).returncode != 0:
        subprocess.run(["apt-get", "update"], check=True, capture_output=True)
        subprocess.run(install, env=settings, check=True, capture_output=True)


def _answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


@cache
def ensure_docker() -> None:
    """A Docker engine that answers; started where none does and we may.

    Raises:
        RuntimeError: none answers and we are not root.
    """
    with lock(_LOCKS / "docker", wait_seconds=600):
        if _answers():
            return
        if os.getuid() != 0:
            raise RuntimeError("no Docker engine answers: sudo systemctl start docker")
        _ensure_programs("dockerd", "docker")
        if _answers():  # its package may have started it
            return
        log = (_LOCKS / "dockerd.log").open("wb")
        with log:
            subprocess.Popen(
                ["dockerd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _wait(_answers, f"dockerd does not start, see {log.name}")


def _wait(ready: Any, trouble: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise RuntimeError(trouble)
        time.sleep(0.2)


@cache
def ensure_registry() -> str:
    """`host:port` of a registry of our own, empty at first, gone when this process ends."""
    ensure_docker()
    _ensure_programs("docker-registry")
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(demo_images.registry())


@cache
def ensure_base_image() -> str:
    """The tag of an image with Python and the scientific packages; minutes the first time."""
    ensure_docker()
    _ensure_programs("mmdebstrap")
    with lock(_LOCKS / "base-image", wait_seconds=1800):
        return demo_images.make_base()


@cache
def example_images() -> dict[str, str]:
    """The references of the preterm example's images, by MLCube, in a registry of our own."""
    ensure_base_image()
    return demo_images.build(ensure_registry())


def build_image(context: Path, tag: str) -> str:
    """Build an image from a folder with a Dockerfile.

    Returns:
        Its id.
    """
    # The classic builder: it needs no plugin, and a local base image is enough for it.
    settings = {**os.environ, "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(
        ["docker", "build", "--quiet", "--tag", tag, str(context)],
        env=settings, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


def push_image(tag: str) -> str:
    """Push a tag to its registry.

    Returns:
        `registry/name@sha256:…`, by which anybody may pull it.
    """
    done = subprocess.run(["docker", "push", tag], check=True, capture_output=True, text=True)
    _, _, rest = done.stdout.partition("digest: ")
    return f"{tag.rpartition(':')[0]}@{rest.split()[0]}"
