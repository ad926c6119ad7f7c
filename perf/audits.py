"""How fast an audit replays a history: commits a second, for two lengths.

Example:
    $ python -m perf audits
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from medperf_git.store.change import write_files
from medperf_git.vcs import Repository
from medperf_git.workflows.audit import audit
from perf.timing import seconds
from tests.support import in_git, simulator

LENGTHS = (50, 500)
TIMES = 5
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
    if found != [True]:
        raise RuntimeError("the history is refused: the measurement means nothing")
    return value
