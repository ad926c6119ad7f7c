"""The root record: who administers a registry and how open it is.

Root 1 is the genesis; its digest is the registry's identity. Does not hold keys: those are in
the administrators' participant records, which the root pins.

Example:
    >>> Root.model_fields["registration"].default
    'approve'
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medperf_git.records.base import Name, ParticipantPin, Record, Reference, Revision, Text


class Root(Record):
    """Administrators, threshold, registration and control-plane policy of a registry."""

    kind: Literal["root"]
    """Always `root`."""
    id: Literal["root"]
    """Always `root`: a registry has one."""
    revision: Revision
    """1 is the genesis; each change is the next revision."""
    name: Name
    """The registry's name, for people."""
    description: Text | None = None
    """What the registry is for."""
    administrators: Annotated[tuple[ParticipantPin, ...], Field(min_length=1, max_length=100)]
    """The administrators' participant records, each pinned by digest."""
    threshold: Annotated[int, Field(ge=1, le=100)]
    """How many different administrators must sign what needs administrators."""
    registration: Literal["approve", "open"] = "approve"
    """Whether a new participant needs an administrator's signature (`approve`) or not (`open`)."""
    benchmarks: Literal["approve", "open"] = "approve"
    """Whether a benchmark needs a threshold of administrators (`approve`) or not (`open`)."""
    control_plane: Literal["host", "signed"] = "host"
    """Who guards what stands outside `registry/`: the host, or signed control records."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [pin.id for pin in self.administrators]
        if len(set(ids)) != len(ids):
            raise ValueError("administrators: one participant stands twice")
        if self.threshold > len(ids):
            raise ValueError(f"threshold: {self.threshold} of {len(ids)} administrators")
        return self

    def references(self) -> Iterator[Reference]:
        """The administrators' participant records."""
        for index, pin in enumerate(self.administrators):
            yield Reference(f"administrators.{index}", "participant", pin)

    @property
    def administrator_ids(self) -> tuple[str, ...]:
        """The administrators' participant ids."""
        return tuple(pin.id for pin in self.administrators)
