from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.benchmark(), by=["anna", "ben", "ada", "amy"])


def twin(world: World) -> None:
    world.propose(world.benchmark(), by=["chair", "anna", "ben", "ada", "amy"])
