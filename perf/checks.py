"""What a check costs in registries of different sizes, for one and the same change.

The cost must follow the change, not the registry: the ratio should stay near one.

Example:
    $ python -m perf checks
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from medperf_git.checks.check import check
from medperf_git.git.objects import EMPTY_TREE
from medperf_git.store.change import write_files
from medperf_git.store.snapshot import snapshot_at
from medperf_git.vcs import Repository
from perf.timing import seconds, spread
from tests.support import simulator

SIZES = (100, 3000)
TIMES = 9
AUTHOR = ("perf", "perf@example")


def grown(records: int) -> simulator.Simulator:
    """A registry with everything in it, and models until it has so many records."""
    registry = simulator.full_registry()
    known = sum(path.endswith(".yaml") for path in registry.tree.files)
    files: simulator.Files = {}
    for number in range(records - known):
        # All in one owner's folder: the worst that a real registry could come to.
        files |= registry.sign(registry.model(f"maker/net-{number}"), by=["maker"])
    return registry.ahead(files)


def measure() -> Iterator[str]:
    """The same result submitted to each registry."""
    medians = []
    for size in SIZES:
        registry = grown(size)
        change = registry.sign(registry.result(), by=["ky"])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "registry.git"
            with Repository.create(path) as repository:
                files = {name: data for name, (_, data) in registry.tree.files.items()}
                tree = write_files(repository, EMPTY_TREE, files)
                base = repository.write_commit(tree, [], "Base", AUTHOR)
                changed = write_files(repository, tree, change)
                head = repository.write_commit(changed, [base], "Head", AUTHOR)
            values = [_once(path, base, head) for _ in range(TIMES)]
        medians.append(statistics.median(values))
        yield f"{size} records: {spread(values)}"
    yield f"ratio, {SIZES[1]} to {SIZES[0]} records: {medians[1] / medians[0]:.2f}"


def _once(path: Path, base: str, head: str) -> float:
    with Repository.open(path) as repository:  # a new one: nothing is cached
        before, after = snapshot_at(repository, base), snapshot_at(repository, head)
        found: list[bool] = []
        value = seconds(lambda: found.append(bool(check(before, after))))
    if found != [True]:
        raise RuntimeError("the change is not complete: the measurement means nothing")
    return value
