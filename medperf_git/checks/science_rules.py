"""Rules about associations: policy, admitted images, preparation, compatibility tests.

Policies come from the base tree alone. Rules about results are in ``result_rules``.

Example:
    >>> PolicyOpen.code
    'policy-open'
"""

from __future__ import annotations

from collections.abc import Iterator

from medperf_git.canonical.mapping import lookup
from medperf_git.checks.report import Finding
from medperf_git.checks.rule import Rule
from medperf_git.checks.transition import Transition
from medperf_git.records.association import DatasetAssociation, ModelAssociation
from medperf_git.records.base import Pin
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.dataset import Dataset
from medperf_git.records.execution import CompatibilityTest
from medperf_git.records.metric import conform
from medperf_git.records.mlcube import MLCube, Model
from medperf_git.records.result import Result
from medperf_git.store.paths import Place


def benchmark_of(transition: Transition, pin: Pin) -> Benchmark:
    """The benchmark that a pin names; references have been checked before."""
    record = transition.head.resolve("benchmark", pin).record
    assert isinstance(record, Benchmark)  # noqa: S101 (the path's kind)
    return record


class PolicyOpen(Rule):
    """New associations and results need a standing policy in the base that is open."""

    advice = "ask the committee: `mpgit benchmark policy`"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every association or result under a benchmark that takes none."""
        for place, record in transition.judged():
            if not isinstance(record, ModelAssociation | DatasetAssociation | Result):
                continue
            policy = transition.base.policy(record.benchmark.id)
            if policy is None or not policy.open:
                transition.blocked.add(place)
                why = "has no policy yet" if policy is None else "is closed"
                yield self.finding(place.path, f"the benchmark {record.benchmark.id} {why}")


class AdmittedImages(Rule):
    """What runs under a benchmark is of a kind of image that its policy admits."""

    advice = "publish the container as an admitted kind, or ask the committee to admit this one"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every associated or executed container of another kind."""
        for place, record in transition.judged():
            if not isinstance(record, ModelAssociation | DatasetAssociation | Result):
                continue
            policy = transition.base.policy(record.benchmark.id)
            admitted = policy.images if policy else ()
            for field, pin, kind in self._used(transition, record):
                container = transition.head.resolve(kind, pin).record
                assert isinstance(container, Model | MLCube)  # noqa: S101 (the path's kind)
                if container.image.type not in admitted:
                    transition.blocked.add(place)
                    yield self.finding(
                        place.path,
                        f"{pin.id} is a {container.image.type} image; the policy admits "
                        f"{', '.join(admitted) or 'none'}",
                        field=field,
                    )

    @staticmethod
    def _used(
        transition: Transition, record: ModelAssociation | DatasetAssociation | Result
    ) -> Iterator[tuple[str, Pin, str]]:
        """The containers that a record brings in: the field, the pin, and the kind."""
        if not isinstance(record, DatasetAssociation):
            yield "model", record.model, "model"
        if not isinstance(record, ModelAssociation):
            benchmark = benchmark_of(transition, record.benchmark)
            yield "benchmark", benchmark.data_preparation, "mlcube"
            if isinstance(record, Result):
                yield "benchmark", benchmark.evaluation_metrics, "mlcube"


class PreparedForBenchmark(Rule):
    """An associated dataset was prepared by the benchmark's own preparation MLCube."""

    advice = "prepare the data for this benchmark: `mpgit dataset prepare`"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every association of a dataset that was prepared otherwise."""
        for place, record in transition.judged():
            if not isinstance(record, DatasetAssociation):
                continue
            benchmark = benchmark_of(transition, record.benchmark)
            dataset = transition.head.resolve("dataset", record.dataset).record
            assert isinstance(dataset, Dataset)  # noqa: S101 (the path's kind)
            if dataset.preparation != benchmark.data_preparation:
                transition.blocked.add(place)
                yield self.finding(
                    place.path,
                    f"prepared by {dataset.preparation.id} revision "
                    f"{dataset.preparation.revision}, not by "
                    f"{benchmark.data_preparation.id} {benchmark.data_preparation.revision}",
                    field="dataset",
                )
            counted = lookup(dataset.statistics, benchmark.case_paths.statistics)
            if counted != dataset.cases:
                transition.blocked.add(place)
                yield self.finding(
                    place.path,
                    f"the dataset says {dataset.cases} cases, its statistics say {counted}",
                    field="dataset",
                )


class CompatibilityTested(Rule):
    """A benchmark and a model's association name a passing test on the demo data.

    The test is by the same image, on the same demo data, and its metrics conform.
    """

    advice = "`mpgit test` runs the compatibility test; submitting runs it too"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every test of something else, or one that does not conform."""
        for place, record in transition.judged():
            if isinstance(record, Benchmark):
                pin, benchmark = record.reference_model, record
            elif isinstance(record, ModelAssociation):
                pin, benchmark = record.model, benchmark_of(transition, record.benchmark)
            else:
                continue
            model = transition.head.resolve("model", pin).record
            assert isinstance(model, Model)  # noqa: S101 (the path's kind)
            yield from self._one(transition, place, record.compatibility_test, model, benchmark)

    def _one(
        self,
        transition: Transition,
        place: Place,
        test: CompatibilityTest,
        model: Model,
        benchmark: Benchmark,
    ) -> Iterator[Finding]:
        problems = [
            (f"compatibility_test.{problem.field}", problem.message)
            for problem in conform(benchmark.metrics, test.metrics)
        ]
        if test.demo_data != benchmark.demo_data.sha256:
            problems.append(("compatibility_test.demo_data", "not the benchmark's demo data"))
        if test.model != model.image_digest:
            problems.append(("compatibility_test.model", f"not the image of {model.id}"))
        for field, message in problems:
            transition.blocked.add(place)
            yield self.finding(place.path, message, field=field)
