from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import place_of


def attack(world: World) -> None:
    record = world.dataset()
    world.put({"registry/datasets/ky/opt/02.yaml": world.sign(record)[place_of(record).path]})


def twin(world: World) -> None:
    world.propose(world.dataset(), by=["ky"])
