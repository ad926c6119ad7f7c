from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_fields(world.result(), {"metrics.0.value": "Jane Doe"}, by=["ky"])


def twin(world: World) -> None:
    world.propose_fields(world.result(), {"metrics.0.value": 0.75}, by=["ky"])
