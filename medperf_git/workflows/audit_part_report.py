"""What the audit of a part of a registry says: what was verified, and what was not.

Values only; ``audit_part`` fills them.

Example:
    >>> "NOT VERIFIED: 7 other records" in statement(["anna/preterm"], Coverage(other_records=7))
    True
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final, TypeAlias

from medperf_git.store.scope import Scope
from medperf_git.workflows.audit_report import AuditReport

Bring: TypeAlias = Callable[[list[str]], None]
"""Makes sure that blobs are here, by their ids."""
NOT_CHECKED: Final = (
    "bytes, schema and agreement with the path",
    "revision numbers and stray signatures",
    "references",
    "signatures and approvals",
    "folders without files",
)
"""What is not known of records out of scope."""
PATHS_CHECKED: Final = "paths known, plain files, only ever added, apart from the control plane"
"""What is known of them."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a history was verified, from its beginning to the newest commit.

    Attributes:
        commits: how many there are.
        judged: how many of them touch the scope: what was in scope in them was verified.
        records: verified records.
        signatures: verified signatures.
        other_records: records of which only the paths were looked at.
        other_signatures: signatures of which only the paths were looked at.
    """

    commits: int = 0
    judged: int = 0
    records: int = 0
    signatures: int = 0
    other_records: int = 0
    other_signatures: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier audits of the same part found good.

    Attributes:
        scope: what is in scope.
        head: the last commit; "" for none.
        coverage: how much of the history up to it was verified.
    """

    scope: Scope
    head: str = ""
    coverage: Coverage = field(default_factory=Coverage)


@dataclass(frozen=True)
class PartialReport(AuditReport):
    """The verdict on a part of a history; `commits` and `records` are those of this audit alone.

    Attributes:
        benchmarks: which were read.
        coverage: what was verified by this audit and those that it builds on.
    """

    benchmarks: tuple[str, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        partial = {
            "benchmarks": list(self.benchmarks),
            **asdict(self.coverage),
            "others_checked": PATHS_CHECKED,
            "others_not_checked": list(NOT_CHECKED),
        }
        return {**AuditReport.as_dict(self), "partial": partial}


def statement(benchmarks: Iterable[str], coverage: Coverage) -> str:
    """What was and was not verified, for people."""
    return (
        f"a PART of the history: {', '.join(benchmarks)}, what it refers to, participants, root "
        f"and control plane. {coverage.judged} of {coverage.commits} commits touch that; in them "
        f"{coverage.records} records and {coverage.signatures} signatures, each by a key that was "
        f"active at the time. NOT VERIFIED: {coverage.other_records} other records and "
        f"{coverage.other_signatures} signatures; of these only: {PATHS_CHECKED}; "
        f"not: {', '.join(NOT_CHECKED)}"
    )
