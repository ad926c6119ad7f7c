from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import RESULT


def attack(world: World) -> None:
    world.remove("registry/results")


def twin(world: World) -> None:
    world.propose(world.withdrawal("result", RESULT), by=["ky"])
