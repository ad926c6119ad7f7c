"""The result record: the signed outcome of one model on one dataset under one benchmark.

Holds declared metrics, the denominator and how it was run; nothing else of what a container
wrote. Whether the metrics conform is judged by ``metric.conform``.

Example:
    >>> Result.model_fields["kind"].annotation
    typing.Literal['result']
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medperf_git.records.base import AssociationPin, OwnedPin, Record, Reference, ResultId, Revision
from medperf_git.records.execution import Execution
from medperf_git.records.metric import Denominator, MetricValue


class Result(Record):
    """What one model achieved on one dataset, signed by the dataset's owner."""

    kind: Literal["result"]
    """Always `result`."""
    id: ResultId
    """`benchmark owner/benchmark/data owner/dataset/model owner/model`."""
    revision: Revision
    """The revision; the newest that is not withdrawn stands."""
    benchmark: OwnedPin
    """The benchmark, exactly."""
    dataset: OwnedPin
    """The dataset, exactly."""
    model: OwnedPin
    """The model, exactly."""
    dataset_association: AssociationPin
    """The association of the dataset that it rests on."""
    model_association: AssociationPin | None = None
    """The association of the model; absent for the benchmark's reference model."""
    metrics: Annotated[tuple[MetricValue, ...], Field(min_length=1, max_length=200)]
    """The declared metrics."""
    denominator: Denominator
    """What became of every case."""
    execution: Execution
    """How it ran."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wanted = f"{self.benchmark.id}/{self.dataset.id}/{self.model.id}"
        if self.id != wanted:
            raise ValueError(f"id: {self.id}, but the pinned records give {wanted}")
        return self

    def references(self) -> Iterator[Reference]:
        """Benchmark, dataset, model and the associations."""
        yield Reference("benchmark", "benchmark", self.benchmark)
        yield Reference("dataset", "dataset", self.dataset)
        yield Reference("model", "model", self.model)
        yield Reference("dataset_association", "dataset-association", self.dataset_association)
        if self.model_association is not None:
            yield Reference("model_association", "model-association", self.model_association)

    @property
    def owner(self) -> str:
        """The dataset's owner."""
        return self.dataset.id.split("/")[0]
