"""One made-up benchmark's life: transitions in an order that the rules accept.

MLCubes, reference model, benchmark, policy; then waves of models and datasets, each admitted by
the committee, and after each wave every dataset's new results, a few at a time. Everything but
results goes through the typed models. Not in it: withdrawals, further revisions, doubts.

Example:
    >>> from perf.registry_plan import make_plan
    >>> plan = make_plan(3, "seed")[0].benchmarks[0]
    >>> steps = list(Life(plan, Clerk("seed", "0" * 64), "2026-01-31", 5).steps())
    >>> steps[0].title
    'Add mlcube institute-0/prep-0 revision 1'
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from perf.registry_clerk import Clerk, Written, digest
from perf.registry_plan import ADMINISTRATORS, BenchmarkPlan
from perf.registry_results import METRICS, SAMPLE, Slots, measured, pin_slots, write_result
from tests.support.parts import container, execution

WAVES: Final = 3
_CASES: Final = (80, 4000)
_DEMO_CASES: Final = 40


@dataclass(frozen=True, slots=True)
class Step:
    """One transition: a title, and the records that it adds."""

    title: str
    records: Sequence[Written]


class Life:
    """One benchmark from its first MLCube to its last result.

    Args:
        plan: sizes and names.
        clerk: who writes and signs.
        day: when executions ended, for people.
        most: how many results one request has at most.
    """

    def __init__(self, plan: BenchmarkPlan, clerk: Clerk, day: str, most: int) -> None:
        self._plan = plan
        self._clerk = clerk
        self._most = most
        self._chance = random.Random(f"{clerk.identity}/{plan.id}")  # noqa: S311 (no secret)
        self._metrics_image = digest(f"{plan.id}/metrics")
        self._pins: dict[str, dict[str, Any]] = {}
        self._fixed: Slots = {
            "finished": day,
            "metrics_image": self._metrics_image,
            "registry_commit": digest(f"{plan.id}/commit")[:40],
        }
        self._models: dict[str, Slots] = {}
        self._datasets: dict[str, Slots] = {}
        self._reported: dict[str, int] = {}
        """How many of the models, in the order of their admission, a dataset has run."""
        self._done = 0

    def steps(self) -> Iterator[Step]:
        """Every transition, oldest first."""
        yield from self._begin()
        for wave in range(WAVES):
            for model in self._plan.models[1:][wave::WAVES]:
                yield self._publish(model)
                yield self._admit_model(model)
            for dataset in self._plan.datasets[wave::WAVES]:
                yield self._register(dataset)
                yield self._admit_dataset(dataset)
            yield from self._report()

    # --- the benchmark itself -------------------------------------------------------------

    def _begin(self) -> Iterator[Step]:
        plan, owner = self._plan, self._plan.owner
        yield self._cube("data_preparation", f"{owner}/prep-{plan.number}", "data-preparation")
        yield self._cube("evaluation_metrics", f"{owner}/metrics-{plan.number}", "metrics")
        yield self._publish(plan.models[0])
        self._pins["reference_model"] = self._pins["model"]
        approvers = [*plan.committee[:2], *ADMINISTRATORS[:2]]
        record = self._clerk.write("benchmark", plan.id, self._declaration(), [owner, *approvers])
        self._pins["benchmark"] = record.pin
        self._fixed |= pin_slots("benchmark", record)
        yield Step(f"Add benchmark {plan.id} revision 1", [record])
        data = {"benchmark": record.pin, "open": True}
        policy = self._clerk.write("policy", plan.id, data, plan.committee[:2])
        yield Step(f"Set the policy of {plan.id}", [policy])

    def _cube(self, field: str, record_id: str, role: str) -> Step:
        image = self._metrics_image if role == "metrics" else digest(record_id)
        data = {"name": record_id, "role": role, **container(record_id, role, image)}
        record = self._clerk.write("mlcube", record_id, data, [self._plan.owner])
        self._pins[field] = record.pin
        return Step(f"Add mlcube {record_id} revision 1", [record])

    def _declaration(self) -> dict[str, Any]:
        plan = self._plan
        text = f"Made up for measurements: {plan.id}."
        common = {"minimum": 0.0, "maximum": 1.0, "unit": "1", "interval": "required"}
        metrics = [
            {"id": name, "name": name, "path": name, **common}
            | {"direction": "lower" if name == "brier" else "higher"}
            for name in METRICS
        ]
        pinned = ("data_preparation", "evaluation_metrics", "reference_model")
        return {
            "name": plan.id,
            "clinical": {"setting": text, "task": text, "labelling": text}
            | {"inclusion_criteria": [text]},
            "metrics": metrics,
            "primary_metric": METRICS[0],
            "minimum_cases": 20,
            **{field: self._pins[field] for field in pinned},
            "demo_data": {"sha256": digest(f"{plan.id}/demo"), "size": 99, "files": 3},
            "committee": {"members": list(plan.committee), "threshold": 2},
            "compatibility_test": self._test(plan.models[0]),
        }

    def _test(self, model: str) -> dict[str, Any]:
        """A passing compatibility test."""
        metric = {"value": 0.7, "low": 0.6, "high": 0.8, "n": _DEMO_CASES}
        counts = {"cases": _DEMO_CASES, "evaluated": _DEMO_CASES, "failed": 0, "excluded": 0}
        return {
            "demo_data": digest(f"{self._plan.id}/demo"),
            "model": digest(model),
            "metrics": [{"id": name, **metric} for name in METRICS],
            "denominator": counts,
            "execution": execution(digest(model), self._metrics_image),
        }

    # --- models and datasets --------------------------------------------------------------

    def _publish(self, model: str) -> Step:
        data = {"name": model, **container(model, "model", digest(model))}
        record = self._clerk.write("model", model, data, [_owner(model)])
        self._pins["model"] = record.pin
        self._models[model] = {**pin_slots("model", record), "model_image": digest(model)}
        return Step(f"Add model {model} revision 1", [record])

    def _admit_model(self, model: str) -> Step:
        pins = {"benchmark": self._pins["benchmark"], "model": self._pins["model"]}
        data = {**pins, "compatibility_test": self._test(model)}
        record = self._associate("model", model, data)
        self._models[model] |= pin_slots("model_association", record)
        return Step(f"Associate model {model} with {self._plan.id}", [record])

    def _register(self, dataset: str) -> Step:
        cases = self._chance.randrange(*_CASES)
        prints = {part: digest(f"{dataset}/{part}") for part in ("data", "labels")}
        data = {
            "name": dataset,
            "preparation": self._pins["data_preparation"],
            "fingerprint": {**prints, "files": cases + 1, "size": 1000 * cases},
            "cases": cases,
            "statistics": {"cases": cases},
        }
        record = self._clerk.write("dataset", dataset, data, [_owner(dataset)])
        self._pins["dataset"] = record.pin
        self._datasets[dataset] = {**pin_slots("dataset", record), "cases": cases}
        return Step(f"Add dataset {dataset} revision 1", [record])

    def _admit_dataset(self, dataset: str) -> Step:
        data = {"benchmark": self._pins["benchmark"], "dataset": self._pins["dataset"]}
        record = self._associate("dataset", dataset, data)
        self._datasets[dataset] |= pin_slots("dataset_association", record)
        return Step(f"Associate dataset {dataset} with {self._plan.id}", [record])

    def _associate(self, what: str, record_id: str, data: dict[str, Any]) -> Written:
        signers = [_owner(record_id), *self._chance.sample(self._plan.committee, 2)]
        name = f"{self._plan.id}/{record_id}"
        return self._clerk.write(f"{what}-association", name, data, signers)

    # --- results --------------------------------------------------------------------------

    def _report(self) -> Iterator[Step]:
        """What every dataset still owes, a few at a time, until the benchmark's share is there."""
        models = list(self._models)
        owing = list(self._datasets)
        while owing and self._done < self._plan.results:
            dataset = self._chance.choice(owing)
            at = self._reported.get(dataset, 0)
            count = self._chance.randint(1, self._most)
            batch = models[at : at + count][: self._plan.results - self._done]
            yield self._submit(dataset, batch)
            self._reported[dataset] = at + len(batch)
            if self._reported[dataset] == len(models):
                owing.remove(dataset)

    def _submit(self, dataset: str, models: Sequence[str]) -> Step:
        records = [self._result(dataset, model) for model in models]
        what = f"{len(models)} result{'s' if len(models) > 1 else ''}"
        return Step(f"Submit {what} of {self._plan.id} on {dataset}", records)

    def _result(self, dataset: str, model: str) -> Written:
        plan, site = self._plan, self._datasets[dataset]
        slots = self._fixed | site | self._models[model]
        slots["id"] = f"{plan.id}/{dataset}/{model}"
        slots |= measured(self._chance, int(site["cases"]))
        look = self._done == 0 or (plan.first + self._done) % SAMPLE == 0
        self._done += 1
        reference = model == plan.models[0]
        return write_result(self._clerk, _owner(dataset), slots, reference=reference, look=look)


def _owner(record_id: str) -> str:
    return record_id.split("/", maxsplit=1)[0]
