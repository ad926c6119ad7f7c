"""Auditing: every transition of main's first-parent history, from the pinned genesis.

Replays with ``checks.check``, the same function that judged each request. Trusts nothing but
the genesis digest: not the host, not dates, not who pushed.

Example:
    >>> AuditReport("a" * 64, "", 0, 0, ()).accepted
    True
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final

from medperf_git.checks.check import check
from medperf_git.checks.report import Finding, Report
from medperf_git.errors import RegistryError
from medperf_git.git_objects import EMPTY_TREE
from medperf_git.store.paths import GENESIS
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import GitTree
from medperf_git.vcs import Repository

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is."""
_MANY: Final = 100
"""Commits from which on it is worth the while to let git read ahead."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One transition that may not be in the history."""

    commit: str
    report: Report

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong; a transition that merely awaits approvals has one finding."""
        if self.report.findings:
            return self.report.findings
        return tuple(
            Finding("not-complete", status.place.path, "reached main without its approvals")
            for status in self.report.records
            if not status.complete
        )


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The verdict on a history.

    Attributes:
        identity: the registry's identity, SHA-256 of its genesis.
        head: the newest commit that was looked at.
        commits: how many transitions were checked.
        records: how many records they added.
        failures: the transitions that are not good, oldest first.
        checked: what this audit can and can't tell.
    """

    identity: str
    head: str
    commits: int
    records: int
    failures: tuple[Failure, ...]
    checked: str = "history: each signature by a key that was active at the time"

    @property
    def accepted(self) -> bool:
        """Whether every transition is good."""
        return not self.failures

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {
            "verdict": "accepted" if self.accepted else "refused",
            "checked": self.checked,
            "identity": self.identity,
            "head": self.head,
            "commits": self.commits,
            "records": self.records,
            "failures": [
                {"commit": failure.commit, **failure.report.as_dict()} for failure in self.failures
            ],
        }


def snapshot_at(repository: Repository, commit: str | None) -> Snapshot:
    """The registry at a commit; an empty one for None."""
    tree = EMPTY_TREE if commit is None else repository.commit(commit).tree
    return Snapshot(GitTree(repository, tree), commit)


def audit(
    repository: Repository,
    head: str,
    *,
    genesis: str | None,
    after: str | None = None,
    progress: Progress = lambda _done, _all: None,
) -> AuditReport:
    """Replays main's first-parent history.

    Args:
        repository: holds the whole history.
        head: main's newest commit.
        genesis: the pinned identity; None takes the one that is there (and proves only that
            the history agrees with itself).
        after: a commit that was audited before: only what is newer is read.
        progress: called after each transition.

    Returns:
        The verdict; a failing transition does not stop the audit.

    Raises:
        RegistryError: no registry, another genesis, or a history that was cut off.
    """
    if repository.is_shallow:
        raise RegistryError(
            "the history is cut off (a shallow clone)",
            code="shallow",
            place=str(repository.path),
            advice="git fetch --unshallow",
        )
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
    failures: list[Failure] = []
    records = 0
    before = snapshot_at(repository, after)
    with repository.reading_ahead(head, after) if len(commits) >= _MANY else nullcontext():
        for done, oid in enumerate(commits, start=1):
            now = snapshot_at(repository, oid)
            report = check(before, now)
            records += len(report.records)
            if not report:
                failures.append(Failure(oid, report))
            before = now
            progress(done, len(commits))
    return AuditReport(identity, head, len(commits), records, tuple(failures))


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
