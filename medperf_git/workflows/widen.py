"""Reading more of a registry than before: further benchmarks, or all of it.

What is asked for is fetched and audited from the genesis on; only if it is good does the client
read it from then on. What it read before stays readable meanwhile, and where this fails.

Example::

    widen(session, ["anna/stroke"])
    widen(session, None)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from medperf_git.errors import InputError, RegistryError
from medperf_git.progress import Progress, untold
from medperf_git.workflows.audit import rewritten
from medperf_git.workflows.audit_report import AuditReport
from medperf_git.workflows.mirror_audit import audit_mirror
from medperf_git.workflows.session import CHECKED, Session, refused


def widen(
    session: Session,
    benchmarks: Sequence[str] | None,
    progress: Progress = untold,
) -> AuditReport:
    """Fetches and audits more, and reads it from now on.

    Args:
        session: a registry of which this client reads a part.
        benchmarks: those that are read too; None for everything.
        progress: called after each transition.

    Raises:
        InputError: this client reads everything already, or there is no such benchmark.
        RegistryError: what was fetched is refused, or does not descend from what was checked.
        GitError: out of reach.
    """
    if session.scope is None:
        raise InputError(f"all of {session.entry.name} is read already", code="no-change")
    chosen = () if benchmarks is None else tuple(dict.fromkeys((*session.scope, *benchmarks)))
    entry = session.entry.model_copy(update={"benchmarks": chosen})
    wider = replace(session, entry=type(entry).model_validate(entry.model_dump()))
    with session.locked():
        if benchmarks is None:
            session.mirror.widen()
        session.forge.fetch()
        report = wider.accept(progress) if chosen else _whole(wider, progress)
        if not report.accepted:
            raise refused(report)
        session.home.save_registry(wider.entry)
    session.entry = wider.entry
    return report


def _whole(session: Session, progress: Progress) -> AuditReport:
    """Audits everything from the genesis on: before, only a part was looked at."""
    head, before = session.forge.main(), session.main
    if head is None:
        raise RegistryError("not a registry: there is no branch main", code="no-registry")
    if not session.mirror.is_ancestor(before, head):
        raise rewritten(before, head)
    report = audit_mirror(session.home, session.entry, session.mirror, head, None, progress)
    if report.accepted:
        session.mirror.set_ref(CHECKED, head)
    return report
