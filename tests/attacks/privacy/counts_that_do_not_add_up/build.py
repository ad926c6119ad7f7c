from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_fields(world.result(), {"denominator.excluded": 11}, by=["ky"])


def twin(world: World) -> None:
    world.propose_fields(world.result(), {"denominator.excluded": 10}, by=["ky"])
