"""Auditing: every transition of main's first-parent history, from the pinned genesis.

Replays with ``checks.check``, the same function that judged each request. Trusts nothing but
the genesis digest: not the host, not dates, not who pushed. On a long history every processor
works (`audit_spans`).

Example::

    report = audit(repository, repository.resolve("main"), genesis="3f2a…")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from medperf_git.errors import RegistryError
from medperf_git.progress import Progress, untold
from medperf_git.store.paths import GENESIS
from medperf_git.store.snapshot import snapshot_at
from medperf_git.vcs import Repository
from medperf_git.workflows.audit_report import AuditReport, Failure
from medperf_git.workflows.audit_spans import MANY, SPAN, judge_all, spans

Proven = Callable[[str, int, int], None]
"""Called with a commit up to which all is good, and how many commits and records came with it."""
_FEW: Final = 4 * SPAN
"""Commits below which starting workers costs more than it saves."""


def unproven(_head: str, _commits: int, _records: int) -> None:
    """Notes nothing."""


def audit(
    repository: Repository,
    head: str,
    *,
    genesis: str | None,
    after: str | None = None,
    progress: Progress = untold,
    proven: Proven = unproven,
    processes: int = 1,
) -> AuditReport:
    """Replays main's first-parent history.

    Args:
        repository: holds the whole history.
        head: main's newest commit.
        genesis: the pinned identity; None takes the one that is there (and proves only that
            the history agrees with itself).
        after: a commit that was audited before: only what is newer is read.
        progress: called as transitions are judged.
        proven: called as long as everything is good.
        processes: how many work on a long history; more than one asks of scripts what
            `judge_all` says.

    Returns:
        The verdict; a failing transition does not stop the audit.

    Raises:
        RegistryError: no registry, another genesis, or a history that was cut off.
    """
    refuse_shallow(repository)
    newest = snapshot_at(repository, head)
    identity = newest.identity
    if genesis is not None and identity != genesis:
        raise other_genesis(genesis, identity)
    if after is not None and not repository.is_ancestor(after, head):
        raise rewritten(after, head)
    commits = list(repository.first_parents(head, after))
    if after is not None and commits and repository.commit(commits[0]).parents[:1] != (after,):
        # It was merged into another line: who audits all of it would judge other transitions.
        raise rewritten(after, head)
    workers = processes if len(commits) >= _FEW else 1
    parts = spans(commits, after, SPAN if len(commits) >= MANY else 1)
    done = records = 0
    failures: list[Failure] = []
    for judged in judge_all(repository, parts, workers):
        done += judged.commits
        records += judged.records
        failures += judged.failures
        if not failures:
            proven(judged.head, done, records)
        progress(done, len(commits))
    return AuditReport(identity, head, done, records, tuple(failures))


def refuse_shallow(repository: Repository) -> None:
    """Raises where a part of the history is missing.

    Raises:
        RegistryError: it was cut off.
    """
    if repository.is_shallow:
        raise RegistryError(
            "the history is cut off (a shallow clone)",
            code="shallow",
            place=str(repository.path),
            advice="git fetch --unshallow",
        )


def other_genesis(pinned: str, found: str) -> RegistryError:
    """The error for a registry that is not the pinned one."""
    return RegistryError(
        f"this is another registry: its genesis is {found}, {pinned} is pinned",
        code="genesis",
        place=GENESIS,
        advice="check the address, and the fingerprint that the administrators published",
    )


def rewritten(known: str, head: str) -> RegistryError:
    """The error for a main that does not descend from what was checked."""
    return RegistryError(
        f"main was rewritten: {known[:12]}, which this client has checked, is not among the "
        f"first parents of {head[:12]}",
        code="rewritten",
        advice="tell the administrators; do not trust this copy of the registry",
    )
