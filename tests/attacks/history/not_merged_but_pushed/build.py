from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.model_association(), by=["maker"])
    world.push()


def twin(world: World) -> None:
    world.propose(world.model_association(), by=["maker", "anna", "ben"])
    world.push()
