"""Auditing a registry that this client knows: remembers how far it got.

A second audit reads only what is new, and one that was interrupted goes on where it was. What was
audited by other rules is audited again, and so is everything with `full`. Only main is remembered:
other heads come and go.

Example::

    report, before = audit_known(session, session.main)
"""

from __future__ import annotations

from medperf_git.progress import Progress, untold
from medperf_git.runtime.machine import cpus
from medperf_git.workflows.audit import audit, unproven
from medperf_git.workflows.audit_report import AuditReport
from medperf_git.workflows.proven import Note, Remembered
from medperf_git.workflows.session import Session


def audit_known(
    session: Session,
    head: str,
    *,
    after: str | None = None,
    full: bool = False,
    progress: Progress = untold,
) -> tuple[AuditReport, Remembered]:
    """Audits what this client has not audited yet.

    Args:
        session: the registry.
        head: the newest commit to look at.
        after: trust everything up to this commit, whatever is remembered.
        full: read everything again.
        progress: called as transitions are judged.

    Returns:
        The verdict on what was read, and what had been audited before.

    Raises:
        RegistryError: another genesis, or a main that does not descend from what was audited.
    """
    main = session.forge.main() or session.main
    note = Note(session.home, session.home.audited(session.entry.name), session.entry.genesis)
    known = Remembered() if full or after else note.recall()
    if head != main and known.head and not session.mirror.is_ancestor(known.head, head):
        known = Remembered()  # older than what was audited, or beside it: judge it by itself
    kept = head == main and not after
    report = audit(
        session.mirror,
        head,
        genesis=session.entry.genesis,
        after=after or known.head or None,
        progress=progress,
        proven=note.keep(known) if kept else unproven,
        processes=cpus(),
    )
    if report.accepted and kept:
        note.write(known.with_more(report.head, report.commits, report.records))
    return report, known
