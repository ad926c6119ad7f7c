"""The verdict on a transition, as values; somebody else renders them.

Example:
    >>> Report("0" * 40, "1" * 40, (), ()).verdict
    'complete'
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from medperf_git.store.paths import Place

Verdict: TypeAlias = Literal["invalid", "awaiting", "complete"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        code: the rule's stable code.
        path: the file.
        message: what is wrong.
        field: the dotted field, where there is one.
        advice: how to mend it.
    """

    code: str
    path: str
    message: str
    field: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """One requirement on a record, and how far it is met."""

    role: str
    threshold: int
    eligible: tuple[str, ...]
    given: tuple[str, ...]

    @property
    def missing(self) -> int:
        """How many signatures are still missing."""
        return max(0, self.threshold - len(self.given))

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """Who could still sign."""
        return tuple(p for p in self.eligible if p not in self.given) if self.missing else ()


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """One added record, and the signatures that it needs."""

    place: Place
    approvals: tuple[Approval, ...]
    unproved_keys: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every signature is there."""
        return not self.unproved_keys and all(a.missing == 0 for a in self.approvals)


@dataclass(frozen=True, slots=True)
class Report:
    """What ``check`` found about a transition.

    Attributes:
        base: the base's commit, or "" for an empty base or an uncommitted tree.
        head: the head's commit, or "".
        findings: everything wrong, by path.
        records: every added record that could be read, by path.
    """

    base: str
    head: str
    findings: tuple[Finding, ...]
    records: tuple[RecordStatus, ...]

    @property
    def verdict(self) -> Verdict:
        """`invalid`, `awaiting` (approvals) or `complete`."""
        if self.findings:
            return "invalid"
        return "complete" if all(record.complete for record in self.records) else "awaiting"

    def __bool__(self) -> bool:
        """Truthy when the transition may become main."""
        return self.verdict == "complete"

    def waiting_for(self) -> tuple[str, ...]:
        """Everybody whose signature could still help, by id."""
        return tuple(sorted({p for r in self.records for a in r.approvals for p in a.waiting_for}))

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {
            "verdict": self.verdict,
            "base": self.base,
            "head": self.head,
            "findings": [asdict(finding) for finding in self.findings],
            "records": [
                {
                    "path": status.place.path,
                    "kind": status.place.record_kind,
                    "id": status.place.id,
                    "revision": status.place.revision,
                    "state": "complete" if status.complete else "awaiting",
                    "approvals": [
                        {**asdict(a), "missing": a.missing, "waiting_for": list(a.waiting_for)}
                        for a in status.approvals
                    ],
                    "unproved_keys": list(status.unproved_keys),
                }
                for status in self.records
            ],
        }
