"""MLCube and model records: containers that a benchmark uses.

Both share the container contract (``container``); a model has a record kind of its own because
it is associated with benchmarks. Nothing here runs anything.

Example:
    >>> MLCube.model_fields["kind"].annotation
    typing.Literal['mlcube']
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from medperf_git.records.base import Name, OwnedId, Record, Revision, Text
from medperf_git.records.container import Container, refuse_tasks


class MLCube(Record, Container):
    """A data-preparation or evaluation-metrics container."""

    kind: Literal["mlcube"]
    """Always `mlcube`."""
    id: OwnedId
    """`owner/name`."""
    revision: Revision
    """The revision."""
    name: Name
    """The name, for people."""
    description: Text | None = None
    """What it does, from which input to which output."""
    role: Literal["data-preparation", "metrics"]
    """Which contract it fulfils."""

    @model_validator(mode="after")
    def _fulfils_contract(self) -> Self:
        refuse_tasks(self.tasks, self.role)
        return self


class Model(Record, Container):
    """A model: reads prepared data, never labels, and writes predictions."""

    kind: Literal["model"]
    """Always `model`."""
    id: OwnedId
    """`owner/name`."""
    revision: Revision
    """The revision."""
    name: Name
    """The name, for people."""
    description: Text | None = None
    """What it predicts, how and from which data it was trained."""
    license: Name | None = None
    """SPDX expression or name of the licence that it is given under."""

    @model_validator(mode="after")
    def _fulfils_contract(self) -> Self:
        refuse_tasks(self.tasks, "model")
        return self
