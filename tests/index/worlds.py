"""Registries in Git with everything that a result's state can follow from."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from medperf_git.index.index import Index, open_index
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import GitTree
from medperf_git.vcs import Repository
from tests.support.in_git import export, write_files
from tests.support.simulator import (
    BENCHMARK,
    BENCHMARK_SIGNERS,
    COMMITTEE,
    DATASET,
    MODEL,
    REFERENCE_MODEL,
    Simulator,
    full_registry,
    key_entry,
)

AUTHOR = ("simulator", "simulator@example")
TWO = COMMITTEE[:2]


class World:
    """The full registry in Git, which is moved on commit by commit."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.registry: Simulator = full_registry()
        self.commits = export(self.registry, repository)
        self.models = [REFERENCE_MODEL, MODEL]
        self.datasets = [DATASET]
        self.compromised: list[str] = []

    @property
    def head(self) -> str:
        return self.commits[-1]

    def snapshot(self, head: str | None = None) -> Snapshot:
        head = head or self.head
        return Snapshot(GitTree(self.repository, self.repository.commit(head).tree), head)

    def open(self, folder: Path, head: str | None = None, told: list[str] | None = None) -> Index:
        said = [] if told is None else told
        return open_index(
            self.repository,
            head or self.head,
            identity=self.registry.snapshot.identity,
            folder=folder,
            tell=said.append,
        )

    def merge(self, files: dict[str, bytes]) -> None:
        self.registry.merge(files)
        self.commit()

    def commit(self) -> None:
        tree = write_files(self.repository, dict(self.registry.tree.files))
        self.commits.append(self.repository.write_commit(tree, self.commits[-1:], "Merge", AUTHOR))

    # --- what can happen -------------------------------------------------------------------

    def add_model(self, model: str) -> None:
        owner = model.split("/", maxsplit=1)[0]
        self.merge(self.registry.sign(self.registry.model(model), by=[owner]))
        if model not in self.models:
            self.models.append(model)
        self.associate_model(model)

    def associate_model(self, model: str) -> None:
        owner = model.split("/", maxsplit=1)[0]
        record = self.registry.model_association(model)
        self.merge(self.registry.sign(record, by=[owner, *TWO]))

    def add_dataset(self, dataset: str) -> None:
        owner = dataset.split("/", maxsplit=1)[0]
        self.merge(self.registry.sign(self.registry.dataset(dataset), by=[owner]))
        if dataset not in self.datasets:
            self.datasets.append(dataset)
        self.associate_dataset(dataset)

    def associate_dataset(self, dataset: str) -> None:
        owner = dataset.split("/", maxsplit=1)[0]
        record = self.registry.dataset_association(dataset)
        self.merge(self.registry.sign(record, by=[owner, *TWO]))

    def measure(self, model: str, dataset: str, value: float) -> None:
        metrics = [{"id": "auroc", "value": value, "low": 0.0, "high": 1.0, "n": 200}]
        record = self.registry.result(dataset, model, metrics=metrics)
        owner = dataset.split("/", maxsplit=1)[0]
        self.merge(self.registry.sign(record, by=[owner]))

    def withdraw(self, kind: str, record_id: str, *people: str) -> None:
        record = self.registry.withdrawal(kind, record_id)
        self.merge(self.registry.sign(record, by=[*people]))

    def compromise(self, person: str, since: str) -> None:
        """The person revokes its first key, doubted from a commit on, and adds a second."""
        first = key_entry(person, revoked="compromised")
        first["revoked"]["doubted_from"] = since
        record = self.registry.participant(person, first, key_entry(person, "second"))
        self.merge(self.registry.sign(record, by=[f"{person}:first"], proofs=["second"]))
        self.compromised.append(person)

    def new_benchmark(self) -> None:
        record = self.registry.benchmark(name="Another question")
        self.merge(self.registry.sign(record, by=[*BENCHMARK_SIGNERS]))

    def happen(self, chance: random.Random) -> str:
        """Something that the rules allow; "" where what was tried is refused."""
        model, dataset = chance.choice(self.models), chance.choice(self.datasets)
        compromised = [p for p in ("ky", "ms", "maker", *COMMITTEE) if p not in self.compromised]
        steps: list[tuple[str, int, Any]] = [
            ("measure", 12, lambda: self.measure(model, dataset, chance.random())),
            ("model", 2, lambda: self.add_model(f"maker/m{chance.randrange(4)}")),
            ("dataset", 2, lambda: self.add_dataset(f"ms/d{chance.randrange(3)}")),
            ("associate model", 1, lambda: self.associate_model(model)),
            ("associate dataset", 1, lambda: self.associate_dataset(dataset)),
            ("withdraw result", 2, lambda: self.withdraw(
                "result", f"{BENCHMARK}/{dataset}/{model}", dataset.split("/")[0])),
            ("withdraw model", 1, lambda: self.withdraw("model", model, model.split("/")[0])),
            ("withdraw dataset", 1, lambda: self.withdraw(
                "dataset", dataset, dataset.split("/")[0])),
            ("withdraw association", 1, lambda: self.withdraw(
                "model-association", f"{BENCHMARK}/{model}", *TWO)),
            ("compromise", 2, lambda: self.compromise(
                chance.choice(compromised), chance.choice(self.commits))),
            ("benchmark", 1, self.new_benchmark),
        ]  # fmt: skip
        name, _, step = chance.choices(steps, [weight for _, weight, _ in steps])[0]
        try:
            step()
        except (AssertionError, LookupError, ValueError):
            return ""
        return name
