"""Auditing the part of a registry that this client reads, as ``own_audit`` does the whole.

A second audit reads only what is new; other rules, another part or `full` reads
all of the part again.

Example::

    report, before = audit_known_part(session, session.main)
"""

from __future__ import annotations

from medperf_git.errors import InputError
from medperf_git.progress import Progress, untold
from medperf_git.store.scope import Scope
from medperf_git.workflows.audit_part_report import Known
from medperf_git.workflows.audit_report import AuditReport
from medperf_git.workflows.partial import recall, remember
from medperf_git.workflows.proven import Remembered
from medperf_git.workflows.session import CHECKED, Session


def audit_known_part(
    session: Session,
    head: str,
    *,
    after: str | None = None,
    full: bool = False,
    progress: Progress = untold,
) -> tuple[AuditReport, Remembered]:
    """Audits what of its part this client has not audited yet.

    Args:
        session: the registry.
        head: the newest commit to look at.
        after: trust everything up to this commit, whatever is remembered.
        full: read everything again.
        progress: called after each transition.

    Returns:
        The verdict on what was read, and what had been audited before.

    Raises:
        RegistryError: another genesis, or a main that does not descend from what was audited.
    """
    checked = session.mirror.find(CHECKED)
    known = recall(session.home, session.entry, None if full else checked, rules=True)
    if after is not None:
        known = Known(recall(session.home, session.entry, checked).scope, after)
    elif known.head and not session.mirror.is_ancestor(known.head, head):
        known = Known(Scope(known.scope.benchmarks))  # older than what was audited, or beside it
    report, now = session.audit_part(head, known, progress)
    if report.accepted and head == checked and after is None:
        remember(session.home, session.entry, now)
    past = Remembered()
    if known.head and after is None:
        past = Remembered(known.head, known.coverage.commits, known.coverage.records)
    return report, past


def refuse_whole_tree(session: Session) -> None:
    """Raises where the finished tree is asked for, of which this client has a part.

    Raises:
        InputError: it reads only some benchmarks.
    """
    if session.scope is not None:
        raise InputError(
            f"this client reads only {', '.join(session.scope)}: the finished tree is not here",
            code="not-fetched",
            advice="`mpgit audit` audits the part; `mpgit registry widen --all` fetches the rest",
        )
