"""How costs grow with a registry: the same questions to registries of 1,000 results and more.

Registries are made by ``make_registry`` and really signed. Each figure is a whole process, its
start included. `MPGIT_PERF_SIZES` names other sizes; what was measured is also written as JSON
where `MPGIT_PERF_JSON` says.

Example:
    $ MPGIT_PERF_SIZES=1000,10000,100000 python -m perf growth
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from medperf_git.store.change import write_files
from medperf_git.store.tree import GitTree, difference, read
from medperf_git.vcs import Repository
from perf.make_registry import make

SIZES = (1_000, 10_000)
TIMES = 5
MPGIT = (sys.executable, "-m", "medperf_git")
AUTHOR = ("perf", "perf@example")
MAIN = "refs/heads/main"


@dataclass(frozen=True)
class Figures:
    """What was measured of one registry; seconds, and MB of memory or disk.

    Attributes:
        results: how many it has.
        check: the verdict on a request of one result.
        join: the first sync of a new client, which audits everything.
        sync: the sync that brings one result.
        leaderboard: of one benchmark.
    """

    results: int
    made: float
    clone_mb: float
    check: float
    check_mb: float
    join: float
    join_mb: float
    sync: float
    leaderboard: float


def measure() -> Iterator[str]:
    """Each size, then the ratios of the largest to the smallest."""
    sizes = [int(size) for size in os.environ.get("MPGIT_PERF_SIZES", "").split(",") if size]
    found = []
    for size in sizes or SIZES:
        with tempfile.TemporaryDirectory(prefix="mpgit-perf-") as folder:
            figures = _figures(Path(folder), size)
        found.append(figures)
        yield f"{size} results: made in {figures.made:.0f} s, {figures.clone_mb:.1f} MB"
        yield f"  check of one result's request: {figures.check:.2f} s, {figures.check_mb:.0f} MB"
        yield f"  first sync, which audits all: {figures.join:.1f} s, {figures.join_mb:.0f} MB"
        yield f"  sync of one new result: {figures.sync:.2f} s"
        yield f"  leaderboard: {figures.leaderboard:.2f} s"
    small, large = found[0], found[-1]
    yield (
        f"{large.results} to {small.results} results: check {large.check / small.check:.2f}, its "
        f"memory {large.check_mb / small.check_mb:.2f}, sync {large.sync / small.sync:.2f}"
    )
    if target := os.environ.get("MPGIT_PERF_JSON"):
        Path(target).write_text(json.dumps([asdict(each) for each in found], indent=2) + "\n")


def _figures(folder: Path, size: int) -> Figures:
    registry = folder / "registry.git"
    began = time.monotonic()
    made = make(registry, size, tell=lambda _line: None)
    took = time.monotonic() - began
    size_mb = sum(p.stat().st_size for p in registry.rglob("*") if p.is_file()) / 1e6
    with Repository.open(registry) as repository:
        base, head, benchmark = _request(repository)
        words = ("check", "--base", base, "--head", head, "--git-dir", str(registry))
        checks = [_run(words) for _ in range(TIMES)]
        # The client joins a registry that lacks the last result, which then comes.
        repository.set_ref(MAIN, base)
        home = {"MPGIT_HOME": str(folder / "home")}
        joined = _run(
            ("registry", "add", "r", str(registry), "--genesis", made.identity, "--yes"), home
        )
        repository.set_ref(MAIN, head)
    synced = _run(("registry", "sync"), home)
    boards = [_run(("leaderboard", benchmark), home) for _ in range(3)]
    return Figures(
        size,
        took,
        size_mb,
        statistics.median(seconds for seconds, _ in checks),
        max(memory for _, memory in checks),
        *joined,
        synced[0],
        statistics.median(seconds for seconds, _ in boards),
    )


def _request(repository: Repository) -> tuple[str, str, str]:
    """A request of one result on the state before the last commit; and the result's benchmark."""
    main = repository.resolve(MAIN)
    base = repository.commit(main).parents[0]
    trees = [GitTree(repository, repository.commit(oid).tree) for oid in (base, main)]
    added = sorted(change.path for change in difference(*trees))
    first = next(path for path in added if path.endswith("/1.yaml"))
    stem = first.removesuffix(".yaml") + "."
    files = {path: read(trees[1], path) or b"" for path in added if path.startswith(stem)}
    tree = write_files(repository, trees[0].oid, files)
    head = repository.write_commit(tree, [base], "Submit one result", AUTHOR)
    return base, head, "/".join(first.split("/")[2:4])


def _run(words: tuple[str, ...], environment: dict[str, str] | None = None) -> tuple[float, float]:
    """Seconds and MB that a command takes."""
    began = time.monotonic()
    process = subprocess.Popen(
        [*MPGIT, *words],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    said = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    if status:
        raise RuntimeError(f"{' '.join(words)}: {said.decode('utf-8', 'replace')[-2000:]}")
    return seconds, usage.ru_maxrss / 1000
