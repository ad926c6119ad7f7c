"""The withdrawal record: takes another record out of use; nothing is ever deleted.

It stands beside what it withdraws (``<n>.withdrawn.yaml``) and so has no path of its own.

Example:
    >>> Withdrawal.model_fields["kind"].annotation
    typing.Literal['withdrawal']
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, Self, TypeAlias

from pydantic import model_validator

from medperf_git.records.base import AnyId, Pin, Record, Reference, Revision, Text

WithdrawableKind: TypeAlias = Literal[
    "participant",
    "mlcube",
    "model",
    "dataset",
    "benchmark",
    "policy",
    "model-association",
    "dataset-association",
    "result",
]

_PARTS: Final = {"participant": 1, "model-association": 4, "dataset-association": 4, "result": 6}
"""Parts of an id; the other kinds have two."""


class Withdrawal(Record):
    """Takes one revision of one record out of use, with a reason."""

    kind: Literal["withdrawal"]
    """Always `withdrawal`."""
    id: AnyId
    """The id of the withdrawn record."""
    revision: Revision
    """The revision of the withdrawn record."""
    target_kind: WithdrawableKind
    """The kind of the withdrawn record."""
    target: Pin
    """The withdrawn record, exactly."""
    reason: Text
    """Why, for people."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        parts = _PARTS.get(self.target_kind, 2)
        if self.id.count("/") + 1 != parts:
            raise ValueError(f"id: {self.id}, but a {self.target_kind} has {parts} part(s)")
        if self.target.id != self.id:
            raise ValueError(f"target.id: {self.target.id}, but the withdrawal is of {self.id}")
        if self.target.revision != self.revision:
            raise ValueError(f"target.revision: {self.target.revision}, not {self.revision}")
        return self

    def references(self) -> Iterator[Reference]:
        """The withdrawn record."""
        yield Reference("target", self.target_kind, self.target)
