from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import RESULT


def attack(world: World) -> None:
    world.propose_forged(world.withdrawal("result", RESULT), {"ky": "maker"})


def twin(world: World) -> None:
    world.propose_forged(world.withdrawal("result", RESULT), {"ky": "ky"})
