from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.model_association(), by=["chair", "anna", "ben"])


def twin(world: World) -> None:
    world.propose(world.model_association(), by=["maker", "anna", "ben"])
