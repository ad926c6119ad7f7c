"""How fast an audit replays a history: commits a second, for two lengths and a long one.

Example:
    $ python -m perf audits
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from medperf_git.store.change import write_files
from medperf_git.vcs import Repository
from medperf_git.workflows.audit import audit
from perf.timing import seconds
from tests.support import in_git, simulator
from tests.support.long_history import long_history

LENGTHS = (50, 500)
TIMES = 5
LONG = 10_000
PART = 1000
AUTHOR = ("perf", "perf@example")


def measure() -> Iterator[str]:
    """A history in which each commit adds one signed model."""
    rates = []
    for length in LENGTHS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "registry.git"
            with Repository.create(path) as repository:
                head = _history(repository, length)
            values = [_once(path, head) for _ in range(TIMES)]
        commits = length + len(simulator.full_registry().history)
        rates.append(commits / statistics.median(values))
        yield f"{commits} commits: {rates[-1]:.0f} commits/s"
    yield f"ratio of the rates, long to short: {rates[1] / rates[0]:.2f}"
    yield from _long()


def _long() -> Iterator[str]:
    """Everything that people do, in one pack, as a clone has it."""
    with tempfile.TemporaryDirectory() as folder:
        made = long_history(Path(folder), LONG)
        at: dict[int, float] = {}
        with Repository.open(Path(made.folder)) as repository:
            began = time.perf_counter()

            def note(done: int, _all: int) -> None:
                at[done] = time.perf_counter() - began

            report = audit(repository, made.line[-1], genesis=made.genesis, progress=note)
    _refuse(accepted=report.accepted)
    whole = at[LONG]
    yield f"{LONG} commits of every kind: {LONG / whole:.0f} commits/s, {whole:.1f} s in all"
    first, last = PART / at[PART], PART / (whole - at[LONG - PART])
    yield f"ratio of the rates, the last {PART} to the first: {last / first:.2f}"


def _history(repository: Repository, length: int) -> str:
    registry = simulator.full_registry()
    head = in_git.export(registry, repository)[-1]
    tree = repository.commit(head).tree
    for number in range(length):
        files = registry.sign(registry.model(f"maker/net-{number}"), by=["maker"])
        tree = write_files(repository, tree, files)
        head = repository.write_commit(tree, [head], f"Add a model, {number}", AUTHOR)
    return head


def _once(path: Path, head: str) -> float:
    with Repository.open(path) as repository:
        found: list[bool] = []
        value = seconds(lambda: found.append(audit(repository, head, genesis=None).accepted))
    _refuse(accepted=found == [True])
    return value


def _refuse(*, accepted: bool) -> None:
    if not accepted:
        raise RuntimeError("the history is refused: the measurement means nothing")
