"""Auditing a registry that this client knows: remembers how far it got.

A second audit reads only what is new. What was audited by another version of the rules is
audited again, and so is everything with `full`. Only main is remembered: other heads come and go.

Example::

    report, before = audit_known(session, session.main)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from medperf_git.store.home import damaged, read_json, write_json
from medperf_git.version import __version__
from medperf_git.workflows.audit import AuditReport, Progress, audit
from medperf_git.workflows.session import Session

_HEAD = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Remembered:
    """How far earlier audits got.

    Attributes:
        head: the last commit that was audited; "" for none.
        commits: how many commits up to it.
        records: how many records they added.
    """

    head: str = ""
    commits: int = 0
    records: int = 0


def audit_known(
    session: Session,
    head: str,
    *,
    after: str | None = None,
    full: bool = False,
    progress: Progress = lambda _done, _all: None,
) -> tuple[AuditReport, Remembered]:
    """Audits what this client has not audited yet.

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
    main = session.forge.main() or session.main
    known = Remembered() if full or after else _recall(session)
    if head != main and known.head and not session.mirror.is_ancestor(known.head, head):
        known = Remembered()  # older than what was audited, or beside it: judge it by itself
    report = audit(
        session.mirror,
        head,
        genesis=session.entry.genesis,
        after=after or known.head or None,
        progress=progress,
    )
    if report.accepted and head == main and not after:
        _remember(session, report, known)
    return report, known


def _recall(session: Session) -> Remembered:
    path = session.home.audited(session.entry.name)
    data = read_json(path) or {}
    if (data.get("version"), data.get("genesis")) != (__version__, session.entry.genesis):
        return Remembered()
    head, commits, records = (data.get(name) for name in ("head", "commits", "records"))
    sound = isinstance(head, str) and _HEAD.fullmatch(head) is not None
    if not sound or type(commits) is not int or type(records) is not int:
        raise damaged(path, "not what an audit writes")
    return Remembered(str(head), commits, records)


def _remember(session: Session, report: AuditReport, known: Remembered) -> None:
    write_json(
        session.home.audited(session.entry.name),
        {
            "version": __version__,
            "genesis": session.entry.genesis,
            "head": report.head,
            "commits": known.commits + report.commits,
            "records": known.records + report.records,
        },
    )
