from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK, DATASET


def base(world: World) -> None:
    world.merge(world.sign(world.dataset_association(), by=["ky", "anna", "ben"]))


def attack(world: World) -> None:
    old = world.pin("dataset-association", f"{BENCHMARK}/{DATASET}", 1)
    world.propose(world.result(dataset_association=old), by=["ky"])


def twin(world: World) -> None:
    new = world.pin("dataset-association", f"{BENCHMARK}/{DATASET}", 2)
    world.propose(world.result(dataset_association=new), by=["ky"])
