"""The package as a library: open a registry at a commit, read typed results, check.

What stands here is public and kept stable; everything is also importable from
``medperf_git`` itself. Nothing here prints, asks or changes a registry.

Example::

    import medperf_git

    registry = medperf_git.open_registry("registry.git", genesis="3f2a…")
    for row in medperf_git.results(registry):
        print(row.result.model.id, row.result.dataset.id, row.result.metrics)
"""

from __future__ import annotations

import tempfile
import weakref
from pathlib import Path

from medperf_git.analysis.leaderboard import leaderboard
from medperf_git.analysis.results import results
from medperf_git.checks.check import check
from medperf_git.store.snapshot import Snapshot, snapshot_at
from medperf_git.vcs import Repository
from medperf_git.workflows.audit import audit
from medperf_git.workflows.session import refused

__all__ = ["check", "leaderboard", "open_registry", "results"]

_FETCHED = "refs/remotes/origin/"


def open_registry(
    address: str | Path, revision: str = "main", *, genesis: str | None = None
) -> Snapshot:
    """A registry at one commit.

    Args:
        address: a repository on this disk, or the address of one to fetch (into a temporary
            folder that lives as long as the result).
        revision: a branch or commit.
        genesis: the registry's published fingerprint; where given, the whole history up to
            the commit is audited first.

    Returns:
        Typed access to the records; compare two of them with `check`.

    Raises:
        GitError: no repository, out of reach, or no such revision.
        RegistryError: no registry, another genesis, or a history that the audit refuses.
    """
    path = Path(address)
    repository = Repository.open(path) if path.exists() else _fetched(str(address))
    commit = repository.find(_FETCHED + revision) or repository.resolve(revision)
    if genesis is not None:
        report = audit(repository, commit, genesis=genesis)
        if not report.accepted:
            raise refused(report)
    snapshot = snapshot_at(repository, commit)
    # Says at once, not at the first record, that this is no registry.
    _ = snapshot.identity
    return snapshot


def _fetched(url: str) -> Repository:
    folder = tempfile.TemporaryDirectory(prefix="mpgit-")
    repository = Repository.create(Path(folder.name) / "mirror.git")
    weakref.finalize(repository, folder.cleanup)
    repository.fetch(url, [f"+refs/heads/*:{_FETCHED}*"])
    return repository
