"""Runs a command with the example's container images at hand: built here, in a registry here.

Starts a registry on the loopback address, builds the base and the MLCubes of
``examples/preterm``, pushes them, and runs the command with ``--images FILE`` at its end, a JSON
mapping of names to references. The registry ends with the command; the images stay in Docker,
so that what ran can run again. Pulls nothing. Needs Docker's engine, docker-registry and
mmdebstrap (``demo_needs.sh`` sees to it).

Example:
    $ python tools/demo_images.py mpgit demo --engine docker
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

EXAMPLE: Final = Path(__file__).resolve().parent.parent / "examples" / "preterm"
BASE: Final = "preterm-base:1"
PORT: Final = 5701
"""The port that a registry takes if it is free: a second demo then overwrites the first's tags."""
_START_SECONDS: Final = 60.0


@contextlib.contextmanager
def registry(port: int = 0) -> Iterator[str]:
    """A registry of our own, empty at first, gone afterwards: its ``host:port``.

    Args:
        port: the port to take; 0, or one that is not free, for any.

    Raises:
        RuntimeError: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="mpgit-registry-") as name:
        folder = Path(name)
        address = f"127.0.0.1:{_free(port) or _free(0)}"
        config = folder / "config.yml"
        config.write_text(
            "version: 0.1\n"
            "log: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
            f"http: {{addr: {address}}}\n"
        )
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["docker-registry", "serve", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C is for the command; the registry ends after it.
                start_new_session=True,
            )
        try:
            _wait(process, address, log)
            yield address
        finally:
            process.terminate()
            process.wait(10)


def _free(port: int) -> int:
    """The port itself, or any for 0; 0 if it is taken."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
        found: int = probe.getsockname()[1]
        return found


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _serves(address):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"docker-registry does not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def _serves(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/v2/", timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def make_base() -> str:
    """Makes the base image if it is not there.

    Returns:
        Its tag.
    """
    _script("make_base.py", BASE)
    return BASE


def build(address: str) -> dict[str, str]:
    """Builds and pushes every MLCube of the example.

    Returns:
        The reference of each, pinned by digest, by its name.
    """
    base = make_base()
    references: dict[str, str] = json.loads(_script("build_images.py", base, f"{address}/preterm"))
    return references


def _script(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / name), *arguments],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout


def main(command: list[str]) -> int:
    """Builds the images and runs the command; returns its exit code."""
    if not command or shutil.which(command[0]) is None:
        print("usage: demo_images.py COMMAND [ARGUMENT]...", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="mpgit-images-") as folder, registry(PORT) as address:
        began = time.monotonic()
        print("Building the container images (about a minute the first time)", flush=True)
        images = Path(folder) / "images.json"
        images.write_text(json.dumps(build(address), indent=2) + "\n", "utf-8")
        print(f"Built in {time.monotonic() - began:.0f} s", flush=True)
        # Ctrl-C reaches the command by itself; what it answers is for it to say.
        with subprocess.Popen([*command, "--images", str(images)]) as process:
            while True:
                with contextlib.suppress(KeyboardInterrupt):
                    return process.wait()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as failed:
        sys.exit(f"{Path(failed.cmd[1]).name} failed with exit code {failed.returncode}")
    except RuntimeError as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
