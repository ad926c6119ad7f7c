"""Associations: a benchmark's agreement to use one model or one dataset.

Each pins exact revisions of both sides. Who must sign is in ``trust.authority``.

Example:
    >>> ModelAssociation.model_fields["kind"].annotation
    typing.Literal['model-association']
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import model_validator

from medperf_git.records.base import AssociationId, OwnedPin, Record, Reference, Revision
from medperf_git.records.execution import CompatibilityTest


def _refuse_other_ids(record_id: str, parts: tuple[str, ...]) -> None:
    if record_id != "/".join(parts):
        raise ValueError(f"id: {record_id}, but the pinned records give {'/'.join(parts)}")


class ModelAssociation(Record):
    """A benchmark's agreement to use a model."""

    kind: Literal["model-association"]
    """Always `model-association`."""
    id: AssociationId
    """`benchmark owner/benchmark/model owner/model`."""
    revision: Revision
    """The revision."""
    benchmark: OwnedPin
    """The benchmark, exactly."""
    model: OwnedPin
    """The model, exactly."""
    compatibility_test: CompatibilityTest
    """A passing test of the model on the benchmark's demo data."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _refuse_other_ids(self.id, (self.benchmark.id, self.model.id))
        return self

    def references(self) -> Iterator[Reference]:
        """The benchmark and the model."""
        yield Reference("benchmark", "benchmark", self.benchmark)
        yield Reference("model", "model", self.model)

    @property
    def owner(self) -> str:
        """The model's owner, who asks for the association."""
        return self.model.id.split("/")[0]


class DatasetAssociation(Record):
    """A benchmark's agreement to use a dataset."""

    kind: Literal["dataset-association"]
    """Always `dataset-association`."""
    id: AssociationId
    """`benchmark owner/benchmark/data owner/dataset`."""
    revision: Revision
    """The revision."""
    benchmark: OwnedPin
    """The benchmark, exactly."""
    dataset: OwnedPin
    """The dataset, exactly."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _refuse_other_ids(self.id, (self.benchmark.id, self.dataset.id))
        return self

    def references(self) -> Iterator[Reference]:
        """The benchmark and the dataset."""
        yield Reference("benchmark", "benchmark", self.benchmark)
        yield Reference("dataset", "dataset", self.dataset)

    @property
    def owner(self) -> str:
        """The dataset's owner, who asks for the association."""
        return self.dataset.id.split("/")[0]
