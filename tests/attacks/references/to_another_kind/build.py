from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import PREPARATION, REFERENCE_MODEL


def attack(world: World) -> None:
    model = world.pin("model", REFERENCE_MODEL)
    world.propose(world.dataset("ky/other", preparation=model), by=["ky"])


def twin(world: World) -> None:
    cube = world.pin("mlcube", PREPARATION)
    world.propose(world.dataset("ky/other", preparation=cube), by=["ky"])
