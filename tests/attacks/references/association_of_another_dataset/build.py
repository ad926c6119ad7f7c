from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK, DATASET


def base(world: World) -> None:
    world.merge(world.sign(world.dataset("ky/two"), by=["ky"]))


def attack(world: World) -> None:
    other = world.pin("dataset-association", f"{BENCHMARK}/{DATASET}")
    ahead = world.ahead(world.sign(world.dataset_association("ky/two")))
    world.propose(ahead.result(dataset="ky/two", dataset_association=other), by=["ky"])


def twin(world: World) -> None:
    world.merge(world.sign(world.dataset_association("ky/two"), by=["ky", "anna", "ben"]))
    world.propose(world.result(dataset="ky/two"), by=["ky"])
