from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import REFERENCE_MODEL


def attack(world: World) -> None:
    world.propose_fields(world.result(), {"model_association": None}, by=["ky"])


def twin(world: World) -> None:
    world.propose(world.result(model=REFERENCE_MODEL), by=["ky"])
