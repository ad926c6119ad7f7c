"""Auditing what a sync has fetched: what is new, or, the first time, everything.

The first audit of a large registry takes long; it notes how far it got, and goes on from there
where it was interrupted. Moves no mark: the session does.

Example::

    report = audit_mirror(home, entry, mirror, head, before=None)
"""

from __future__ import annotations

from dataclasses import replace

from medperf_git.progress import Progress
from medperf_git.runtime.machine import cpus
from medperf_git.store.home import Home, RegistryEntry
from medperf_git.vcs import Repository
from medperf_git.workflows.audit import audit
from medperf_git.workflows.audit_report import AuditReport
from medperf_git.workflows.proven import Note, Remembered


def audit_mirror(
    home: Home,
    entry: RegistryEntry,
    mirror: Repository,
    head: str,
    before: str | None,
    progress: Progress,
) -> AuditReport:
    """The verdict on what was fetched.

    Args:
        home: this client's files.
        entry: the registry.
        mirror: holds what was fetched.
        head: main's newest commit.
        before: the last commit that this client has audited; None for the first time.
        progress: called as transitions are judged.

    Raises:
        RegistryError: another genesis, or a main that does not descend from `before`.
    """
    if before is not None:
        return audit(
            mirror,
            head,
            genesis=entry.genesis,
            after=before,
            progress=progress,
            processes=cpus(),
        )
    note = Note(home, home.synced(entry.name), entry.genesis)
    known = note.recall()
    if not known.head or not mirror.is_ancestor(known.head, head):
        known = Remembered()
    report = audit(
        mirror,
        head,
        genesis=entry.genesis,
        after=known.head or None,
        progress=progress,
        proven=note.keep(known),
        processes=cpus(),
    )
    both = known.with_more(head, report.commits, report.records)
    return replace(report, commits=both.commits, records=both.records)
