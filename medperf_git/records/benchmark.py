"""The benchmark record: the clinical task, its metrics, its MLCubes and its committee.

A benchmark is the science: a new revision needs new associations. What may change without
one is in ``policy``. Does not judge results (``metric.conform`` does).

Example:
    >>> Committee(members=("anna", "ben", "chloe"), threshold=2).threshold
    2
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medperf_git.records.artefact import Tree
from medperf_git.records.base import (
    DottedPath,
    MetricId,
    Name,
    OwnedId,
    OwnedPin,
    Part,
    Record,
    Reference,
    Revision,
    Slug,
    Text,
)
from medperf_git.records.execution import CompatibilityTest
from medperf_git.records.metric import MetricDeclaration


class ClinicalTask(Part):
    """What is predicted, for whom, and how the truth was established."""

    setting: Text
    """Where the model would be used, and by whom."""
    task: Text
    """What it predicts, from what, at which moment."""
    inclusion_criteria: Annotated[tuple[Text, ...], Field(min_length=1, max_length=50)]
    """Which cases belong in a dataset."""
    exclusion_criteria: Annotated[tuple[Text, ...], Field(max_length=50)] = ()
    """Which do not."""
    labelling: Text
    """How the reference labels come about."""


class Committee(Part):
    """Who decides about a benchmark."""

    members: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=50)]
    """Participants, each with one voice."""
    threshold: Annotated[int, Field(ge=1, le=50)]
    """How many different members must sign."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.members)) != len(self.members):
            raise ValueError("members: one participant stands twice")
        if self.threshold > len(self.members):
            raise ValueError(f"threshold: {self.threshold} of {len(self.members)} members")
        return self


class CasePaths(Part):
    """Where the numbers of cases stand in what the MLCubes write."""

    statistics: DottedPath = "cases"
    """In `statistics.yaml`: the number of cases in the dataset."""
    cases: DottedPath = "cases.total"
    """In `results.yaml`: the number of cases seen."""
    evaluated: DottedPath = "cases.evaluated"
    """In `results.yaml`: cases that the metrics rest on."""
    failed: DottedPath = "cases.failed"
    """In `results.yaml`: cases without a usable prediction."""
    excluded: DottedPath = "cases.excluded"
    """In `results.yaml`: cases left out by the benchmark's rules."""


class Benchmark(Record):
    """A clinical task with everything needed to measure models on it."""

    kind: Literal["benchmark"]
    """Always `benchmark`."""
    id: OwnedId
    """`owner/name`."""
    revision: Revision
    """Each revision is a new piece of science: associations do not carry over."""
    name: Name
    """The name, for people."""
    description: Text | None = None
    """What the benchmark is for."""
    clinical: ClinicalTask
    """The clinical task."""
    metrics: Annotated[tuple[MetricDeclaration, ...], Field(min_length=1, max_length=200)]
    """The metrics that may leave a site; nothing else does."""
    primary_metric: MetricId
    """The metric that leaderboards are ordered by."""
    case_paths: CasePaths = CasePaths()
    """Where the MLCubes write the numbers of cases."""
    minimum_cases: Annotated[int, Field(ge=1)]
    """Results resting on fewer evaluated cases are refused."""
    data_preparation: OwnedPin
    """The data-preparation MLCube."""
    evaluation_metrics: OwnedPin
    """The metrics MLCube."""
    reference_model: OwnedPin
    """A model that every dataset is run with; needs no association."""
    demo_data: Tree
    """Raw data that anybody may have, for compatibility tests."""
    committee: Committee
    """Who decides."""
    compatibility_test: CompatibilityTest
    """A passing test of the reference model on the demo data."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [metric.id for metric in self.metrics]
        if len(set(ids)) != len(ids):
            raise ValueError("metrics: one id stands twice")
        if self.primary_metric not in ids:
            raise ValueError(f"primary_metric: {self.primary_metric} is not among the metrics")
        return self

    def references(self) -> Iterator[Reference]:
        """The two MLCubes and the reference model."""
        yield Reference("data_preparation", "mlcube", self.data_preparation)
        yield Reference("evaluation_metrics", "mlcube", self.evaluation_metrics)
        yield Reference("reference_model", "model", self.reference_model)
