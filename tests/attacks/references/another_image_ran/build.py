from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import MODEL, digest


def attack(world: World) -> None:
    world.propose_fields(world.result(), {"execution.steps.0.image": digest("tuned")}, by=["ky"])


def twin(world: World) -> None:
    world.propose_fields(world.result(), {"execution.steps.0.image": digest(MODEL)}, by=["ky"])
