from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_fields(world.result(), {"metrics.0.n": 0}, by=["ky"])


def twin(world: World) -> None:
    world.propose_fields(world.result(), {"metrics.0.n": 150}, by=["ky"])
