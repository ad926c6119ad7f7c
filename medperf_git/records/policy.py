"""The policy record: what a committee may change without a new benchmark.

The newest standing policy of the base tree decides; a benchmark without one admits nothing.

Example:
    >>> Admission(mode="listed", participants=("ky",)).admits("ky")
    True
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medperf_git.records.base import OwnedId, OwnedPin, Part, Record, Reference, Revision, Slug
from medperf_git.records.container import ImageType


class Admission(Part):
    """Whose associations the committee has agreed to in advance."""

    mode: Literal["approve", "auto", "listed"] = "approve"
    """`approve`: a threshold signs each; `auto`: the owner alone; `listed`: the listed alone."""
    participants: Annotated[tuple[Slug, ...], Field(max_length=1000)] = ()
    """For `listed`: the participants."""

    def admits(self, owner: str) -> bool:
        """Whether the owner's signature alone is enough."""
        return self.mode == "auto" or (self.mode == "listed" and owner in self.participants)


class Policy(Record):
    """How a benchmark is run at present."""

    kind: Literal["policy"]
    """Always `policy`."""
    id: OwnedId
    """The benchmark's id."""
    revision: Revision
    """Counts the policy's own revisions."""
    benchmark: OwnedPin
    """The benchmark, at the revision that stood when this was written."""
    open: bool
    """Whether new associations and results are taken."""
    results: Literal["auto", "approve"] = "auto"
    """Whether a result needs a threshold of the committee (`approve`) or its owner alone."""
    models: Admission = Admission()
    """Whose models are admitted in advance."""
    datasets: Admission = Admission()
    """Whose datasets are admitted in advance."""
    priorities: Annotated[tuple[OwnedId, ...], Field(max_length=1000)] = ()
    """Models in the order in which they should be run; the others follow by id."""
    images: Annotated[tuple[ImageType, ...], Field(min_length=1, max_length=3)] = (
        "reference",
        "archive",
    )
    """Kinds of image that are admitted."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.benchmark.id != self.id:
            raise ValueError(f"benchmark: {self.benchmark.id} is not {self.id}")
        return self

    def references(self) -> Iterator[Reference]:
        """The benchmark."""
        yield Reference("benchmark", "benchmark", self.benchmark)
