from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import digest


def attack(world: World) -> None:
    tuned = {"execution.steps.0.parameters": digest("tuned")}
    world.propose_fields(world.result(), tuned, by=["ky"])


def twin(world: World) -> None:
    world.propose_fields(world.result(), {}, by=["ky"])
