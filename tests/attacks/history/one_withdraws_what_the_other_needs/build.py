from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK, DATASET


def attack(world: World) -> None:
    result = world.sign(world.result(), by=["ky"])
    gone = world.withdrawal("dataset-association", f"{BENCHMARK}/{DATASET}")
    world.merge(world.sign(gone, by=["anna", "ben"]))
    world.put(result)
    world.push()


def twin(world: World) -> None:
    result = world.sign(world.result(), by=["ky"])
    world.put(result)
    world.push()
    gone = world.withdrawal("dataset-association", f"{BENCHMARK}/{DATASET}")
    world.merge(world.sign(gone, by=["anna", "ben"]))
