from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.policy(), by=["anna", "ben", "ada"])


def twin(world: World) -> None:
    world.propose(world.policy(), by=["anna", "ben"])
