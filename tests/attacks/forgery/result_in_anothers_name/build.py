from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_forged(world.result(), {"ky": "ms"})


def twin(world: World) -> None:
    world.propose_forged(world.result(), {"ky": "ky"})
