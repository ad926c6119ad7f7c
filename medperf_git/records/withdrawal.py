"""The withdrawal record: takes another record out of use; nothing is ever deleted.

It stands beside what it withdraws (``<n>.withdrawn.yaml``) and so has no path of its own.

Example:
    >>> Withdrawal.model_fields["kind"].annotation
    typing.Literal['withdrawal']
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from medperf_git.records.base import Pin, Record, Reference, Revision, Text

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


class Withdrawal(Record):
    """Takes one revision of one record out of use, with a reason."""

    kind: Literal["withdrawal"]
    """Always `withdrawal`."""
    id: Annotated[str, Field(max_length=400)]
    """The id of the withdrawn record."""
    revision: Revision
    """The revision of the withdrawn record."""
    target_kind: WithdrawableKind
    """The kind of the withdrawn record."""
    target: Pin
    """The withdrawn record, exactly."""
    reason: Text
    """Why, for people."""

    def references(self) -> Iterator[Reference]:
        """The withdrawn record."""
        yield Reference("target", self.target_kind, self.target)
