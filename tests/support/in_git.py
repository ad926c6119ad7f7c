"""A simulated registry written into a real Git repository.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tests.support.simulator import full_registry
    >>> with Repository.create(Path(tempfile.mkdtemp()) / "r.git") as repository:
    ...     len(export(full_registry(), repository))
    18
"""

from __future__ import annotations

from collections.abc import Mapping

from medperf_git.git.objects import TREE_MODE, TreeEntry
from medperf_git.vcs import Repository
from tests.support.simulator import Simulator


def write_files(repository: Repository, files: Mapping[str, tuple[int, bytes]]) -> str:
    """Writes a whole tree of (mode, bytes) by path; returns the tree's id."""
    here: list[TreeEntry] = []
    below: dict[str, dict[str, tuple[int, bytes]]] = {}
    for path, (mode, payload) in files.items():
        name, _, rest = path.partition("/")
        if rest:
            below.setdefault(name, {})[rest] = (mode, payload)
        else:
            here.append(TreeEntry(name, mode, repository.write_blob(payload)))
    here += [TreeEntry(n, TREE_MODE, write_files(repository, inner)) for n, inner in below.items()]
    return repository.write_tree(here)


def export(registry: Simulator, repository: Repository, ref: str = "refs/heads/main") -> list[str]:
    """Writes a registry's history, one commit a merge; returns the commits, oldest first."""
    commits: list[str] = []
    for number, tree in enumerate(registry.history):
        oid = write_files(repository, dict(tree.files))
        author = ("simulator", "simulator@example")
        commits.append(repository.write_commit(oid, commits[-1:], f"Merge {number}", author))
    if commits:
        repository.set_ref(ref, commits[-1])
    return commits
