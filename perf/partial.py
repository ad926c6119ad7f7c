"""What it costs to read one benchmark of a large registry: bytes and seconds over HTTP.

`mpgit registry add`, with and without `--benchmark`, from `git http-backend` behind lighttpd, each
byte counted between the two; then git's own clones with other filters, for comparison. Sizes as for
``growth``: `MPGIT_PERF_SIZES`. `MPGIT_PERF_REGISTRIES` names a folder with registries that are made
already: `r1000.git` and so on.

Example:
    $ MPGIT_PERF_SIZES=1000,100000 python -m perf partial
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medperf_git.store.snapshot import snapshot_at
from medperf_git.vcs import Repository
from perf.growth import MAIN, SIZES
from perf.make_registry import make
from perf.timing import seconds
from tests.support.servers import over_http

BENCHMARK = "institute-0/preterm-0"
"""The first benchmark of every made-up registry."""
MOST = 100_000
"""Of larger registries all is cloned, and not audited as well: ``growth`` does that."""
FILTERS = ("", "blob:none", "tree:3", "tree:0")
MPGIT = (sys.executable, "-m", "medperf_git")
_CHUNK = 1 << 16
_SETTINGS = ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant")


def measure() -> Iterator[str]:
    """Each size: everything, one benchmark, the next sync, and git's filters alone."""
    sizes = [int(size) for size in os.environ.get("MPGIT_PERF_SIZES", "").split(",") if size]
    for size in sizes or SIZES:
        with tempfile.TemporaryDirectory(prefix="mpgit-perf-") as folder:
            yield from _one(Path(folder), size)


def _one(folder: Path, size: int) -> Iterator[str]:
    registry = _registry(folder, size)
    with Repository.open(registry) as repository:
        identity = snapshot_at(repository, repository.resolve(MAIN)).identity
    with over_http(folder / "web", registry) as (address, _), _counted(address) as (url, count):
        joining = ("registry", "add", "r", url, "--genesis", identity, "--yes")
        ways = {"one benchmark": ("--benchmark", BENCHMARK), "everything": ()}
        if size > MOST:
            del ways["everything"]
        for name, more in ways.items():
            home = folder / name
            yield f"{size} results, {name}: " + _cost(count, lambda: _mpgit(home, *joining, *more))  # noqa: B023
            yield "  next sync: " + _cost(count, lambda: _mpgit(home, "registry", "sync"))  # noqa: B023
            yield f"  on disk: {_megabytes(home)}"
            took = seconds(lambda: _mpgit(home, "leaderboard", BENCHMARK))  # noqa: B023
            yield f"  leaderboard: {took:.2f} s"
        for name in FILTERS:
            target = folder / (name or "all")
            said = [f"--filter={name}"] if name else []
            clone = ["git", "clone", "--quiet", "--bare", *said, url, str(target)]
            cost = _cost(count, lambda: subprocess.run(clone, check=True))  # noqa: B023
            yield f"  git clone{' '.join(['', *said])}, nothing verified: {cost}"
            shutil.rmtree(target)


def _registry(folder: Path, size: int) -> Path:
    """The registry, served with what a partial clone asks of a server."""
    target = folder / "registry.git"
    made = os.environ.get("MPGIT_PERF_REGISTRIES")
    if made:
        source = Path(made) / f"r{size}.git"
        subprocess.run(
            ["git", "clone", "--quiet", "--bare", "--shared", source, target], check=True
        )
    else:
        make(target, size, tell=lambda _line: None)
    for name in _SETTINGS:
        subprocess.run(["git", "-C", target, "config", name, "true"], check=True)
    return target


def _mpgit(home: Path, *words: str) -> None:
    environment = {**os.environ, "MPGIT_HOME": str(home)}
    done = subprocess.run([*MPGIT, *words], env=environment, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.decode('utf-8', 'replace')[-2000:]}")


class _Count:
    """Bytes that went from the server to the client."""

    def __init__(self) -> None:
        self.received = 0


def _cost(count: _Count, work: object) -> str:
    assert callable(work)  # noqa: S101 (for the type checker)
    before = count.received
    took = seconds(work)
    return f"{(count.received - before) / 1e6:.2f} MB received, {took:.1f} s"


def _megabytes(folder: Path) -> str:
    return f"{sum(p.stat().st_size for p in folder.rglob('*') if p.is_file()) / 1e6:.1f} MB"


@contextmanager
def _counted(address: str) -> Iterator[tuple[str, _Count]]:
    """The same server at another port, which counts what goes through."""
    found = re.search(r"127\.0\.0\.1:(\d+)", address)
    assert found  # noqa: S101 (over_http's own address)
    count = _Count()
    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=_serve, args=(door, int(found[1]), count), daemon=True)
        thread.start()
        yield address.replace(found[0], f"127.0.0.1:{door.getsockname()[1]}"), count


def _serve(door: socket.socket, port: int, count: _Count) -> None:
    with suppress(OSError):  # the end: the door was closed
        while True:
            client, _ = door.accept()
            server = socket.create_connection(("127.0.0.1", port))
            for source, target, counted in ((client, server, None), (server, client, count)):
                pump = threading.Thread(target=_pump, args=(source, target, counted), daemon=True)
                pump.start()


def _pump(source: socket.socket, target: socket.socket, count: _Count | None) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            if count is not None:
                count.received += len(chunk)
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
