"""What the index costs: made, brought up to date, asked; and its size.

Registries are made by ``make_registry``. Their history is taken as audited, without auditing it:
``perf growth`` measures that. `MPGIT_PERF_SIZES` names other sizes; `MPGIT_PERF_REGISTRIES` names a
folder with registries that are there already, each called `r<size>.git`.

Example:
    $ MPGIT_PERF_SIZES=1000,100000 python -m perf index
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from medperf_git.index.index import open_index
from medperf_git.index.query import leaderboard
from medperf_git.index.tables import FORMAT
from medperf_git.store.home import Home, RegistryEntry
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import GitTree
from medperf_git.vcs import Repository
from medperf_git.workflows.session import CHECKED
from perf.make_registry import make
from perf.registry_stream import MAIN
from perf.timing import command, seconds, spread

NAME = "large"
SIZES = (1_000, 10_000)
TIMES = 5
MPGIT = (sys.executable, "-m", "medperf_git")


def measure() -> Iterator[str]:
    """Each size."""
    sizes = [int(size) for size in os.environ.get("MPGIT_PERF_SIZES", "").split(",") if size]
    for size in sizes or SIZES:
        with tempfile.TemporaryDirectory(prefix="mpgit-perf-") as folder:
            yield from _measure(Path(folder), size)


def _measure(folder: Path, size: int) -> Iterator[str]:
    home = Home(folder / "home")
    identity = _join(home, folder, size)
    with Repository.open(home.mirror(NAME)) as mirror:
        newest = mirror.resolve(MAIN)
        before = mirror.commit(newest).parents[0]
        index = home.index(identity, FORMAT)

        def at(commit: str) -> None:
            with open_index(mirror, commit, identity=identity, folder=index):
                pass

        built = seconds(lambda: at(before))
        memory = [
            resource.getrusage(who).ru_maxrss / 1000
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        disk = sum(path.stat().st_size for path in index.rglob("*")) / 1e6
        yield f"{size} results: index made in {built:.1f} s, {disk:.1f} MB on disk"
        yield f"  memory: {memory[0]:.0f} MB, and {memory[1]:.0f} MB in the largest helper"
        updated = seconds(lambda: at(newest))
        yield f"  brought up to date with one commit: {updated:.2f} s"
        mirror.set_ref(CHECKED, newest)
        benchmark = _benchmark(mirror, newest)
        with open_index(mirror, newest, identity=identity, folder=index) as opened:
            asked = [seconds(lambda: leaderboard(opened, benchmark)) for _ in range(TIMES)]
        yield f"  one leaderboard, the index open: {spread(asked)}"
    environment = {**os.environ, "MPGIT_HOME": str(folder / "home")}
    for words in _questions(benchmark):
        asked = [seconds(command([*MPGIT, *words], **environment)) for _ in range(TIMES)]
        yield f"  mpgit {words[0]}, whole process: {spread(asked)}"


def _questions(benchmark: str) -> list[tuple[str, ...]]:
    sql = "SELECT benchmark, avg(primary_value) FROM results WHERE state = 'stands' GROUP BY ALL"
    return [("leaderboard", benchmark), ("query", sql)]


def _join(home: Home, folder: Path, size: int) -> str:
    """A client that takes the registry as audited; its identity."""
    there = Path(os.environ.get("MPGIT_PERF_REGISTRIES", folder)) / f"r{size}.git"
    if not there.exists():
        make(there, size, tell=lambda _line: None)
    mirror = home.mirror(NAME)
    mirror.parent.mkdir(parents=True)
    # Shared, not copied: what is measured only reads.
    clone = ["git", "clone", "--quiet", "--bare", "--shared", str(there), str(mirror)]
    subprocess.run(clone, check=True)
    with Repository.open(mirror) as repository:
        newest = repository.resolve(MAIN)
        snapshot = Snapshot(GitTree(repository, repository.commit(newest).tree), newest)
        identity = snapshot.identity
    home.save_registry(RegistryEntry(name=NAME, url=str(there), genesis=identity))
    return identity


def _benchmark(mirror: Repository, commit: str) -> str:
    """The first benchmark."""
    tree = GitTree(mirror, mirror.commit(commit).tree)
    top = "registry/benchmarks"
    owner = next(iter(sorted(tree.entries(top))))
    name = next(iter(sorted(tree.entries(f"{top}/{owner}"))))
    return f"{owner}/{name}"
