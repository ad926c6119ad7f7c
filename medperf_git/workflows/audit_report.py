"""What an audit found: the verdict on a history, and each transition that is not good.

Holds data alone; ``audit`` and ``tree_audit`` fill it.

Example:
    >>> AuditReport("a" * 64, "", 0, 0, ()).accepted
    True
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from medperf_git.checks.report import Finding, Report


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
