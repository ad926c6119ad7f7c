"""Rules about results: what they rest on, what ran, and which numbers may leave.

Example:
    >>> MetricsConform.code
    'metrics-conform'
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from medperf_git.canonical.digest import sha256_hex
from medperf_git.canonical.document import emit_mapping
from medperf_git.checks.report import Finding
from medperf_git.checks.rule import Rule
from medperf_git.checks.science_rules import benchmark_of
from medperf_git.checks.transition import Transition
from medperf_git.records.association import DatasetAssociation, ModelAssociation
from medperf_git.records.container import Container, TaskName
from medperf_git.records.dataset import Dataset
from medperf_git.records.metric import conform
from medperf_git.records.mlcube import MLCube, Model
from medperf_git.records.result import Result
from medperf_git.store.paths import Place


def _results(transition: Transition) -> Iterator[tuple[Place, Result]]:
    for place, record in transition.judged():
        if isinstance(record, Result):
            yield place, record


class AssociationsAgree(Rule):
    """A result rests on associations of exactly its benchmark, dataset and model.

    Only the benchmark's reference model needs no association.
    """

    advice = "run it again: `mpgit run` picks the associations that stand"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every result whose associations pin something else."""
        for place, result in _results(transition):
            for field, message in self._problems(transition, result):
                transition.blocked.add(place)
                yield self.finding(place.path, message, field=field)

    def _problems(self, transition: Transition, result: Result) -> Iterator[tuple[str, str]]:
        head = transition.head
        dataset = head.resolve("dataset-association", result.dataset_association).record
        assert isinstance(dataset, DatasetAssociation)  # noqa: S101 (the path's kind)
        if (dataset.benchmark, dataset.dataset) != (result.benchmark, result.dataset):
            yield "dataset_association", "it associates another benchmark or dataset revision"
        if result.model_association is None:
            if result.model != benchmark_of(transition, result.benchmark).reference_model:
                yield "model_association", "missing, and the model is not the reference model"
            return
        model = head.resolve("model-association", result.model_association).record
        assert isinstance(model, ModelAssociation)  # noqa: S101 (the path's kind)
        if (model.benchmark, model.model) != (result.benchmark, result.model):
            yield "model_association", "it associates another benchmark or model revision"


class MetricsConform(Rule):
    """A result holds exactly the declared metrics, in range, with the declared intervals."""

    advice = "only what the benchmark declares may leave: `mpgit benchmark view`"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every metric that does not conform."""
        for place, result in _results(transition):
            benchmark = benchmark_of(transition, result.benchmark)
            for problem in conform(benchmark.metrics, result.metrics):
                yield self.finding(place.path, problem.message, field=problem.field)


class EnoughCases(Rule):
    """A result rests on at least the benchmark's minimum number of cases.

    Fewer would tell of single patients, and little of the model.
    """

    advice = "gather more cases, or ask the committee about the minimum"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every result on too few cases, in all or for one metric."""
        for place, result in _results(transition):
            least = benchmark_of(transition, result.benchmark).minimum_cases
            counts = {"denominator.evaluated": result.denominator.evaluated}
            counts |= {f"metrics.{m.id}.n": m.n for m in result.metrics if m.n == 0}
            for field, count in counts.items():
                if count < least:
                    yield self.finding(
                        place.path, f"{count} cases; the benchmark asks for {least}", field=field
                    )


class CasesOfDataset(Rule):
    """A result accounts for every case of its dataset, and no metric for more."""

    advice = "a case is evaluated, failed or excluded; `cases` is the dataset's"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every denominator that is not the dataset's."""
        for place, result in _results(transition):
            dataset = transition.head.resolve("dataset", result.dataset).record
            assert isinstance(dataset, Dataset)  # noqa: S101 (the path's kind)
            if result.denominator.cases != dataset.cases:
                yield self.finding(
                    place.path,
                    f"{result.denominator.cases} cases; the dataset has {dataset.cases}",
                    field="denominator.cases",
                )
            for metric in result.metrics:
                if metric.n > result.denominator.evaluated:
                    yield self.finding(
                        place.path,
                        f"n is {metric.n}, but {result.denominator.evaluated} were evaluated",
                        field=f"metrics.{metric.id}.n",
                    )


class WhatRan(Rule):
    """The steps of a result ran the pinned model and the benchmark's metrics MLCube.

    With their own parameters and files: a model tuned at one site would be another model.
    """

    advice = "run it again: `mpgit run` fills in what ran"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every result whose steps name other images, parameters or files."""
        for place, result in _results(transition):
            benchmark = benchmark_of(transition, result.benchmark)
            model = transition.head.resolve("model", result.model).record
            metrics = transition.head.resolve("mlcube", benchmark.evaluation_metrics).record
            assert isinstance(model, Model) and isinstance(metrics, MLCube)  # noqa: S101, PT018
            ran = [
                (s.task, s.image_type, s.image, s.parameters, sorted(s.additional_files))
                for s in result.execution.steps
            ]
            if ran != [_step("infer", model), _step("evaluate", metrics)]:
                yield self.finding(
                    place.path,
                    "the steps are not `infer` by the pinned model and `evaluate` by the "
                    "benchmark's metrics MLCube",
                    field="execution.steps",
                )
            if result.execution.registry_commit is None:
                yield self.finding(
                    place.path,
                    "missing: a result says against which commit it ran",
                    field="execution.registry_commit",
                )


def _step(task: TaskName, container: Container) -> tuple[Any, ...]:
    """What a step must say that ran this task of this container, and nothing else."""
    parameters = None
    if "parameters_file" in container.tasks[task].input_volumes:
        parameters = sha256_hex(emit_mapping(container.parameters))
    files = sorted(file.sha256 for file in container.additional_files)
    return task, container.image.type, container.image_digest, parameters, files
