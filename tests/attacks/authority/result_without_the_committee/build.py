from __future__ import annotations

from tests.attacks.world import World


def base(world: World) -> None:
    world.merge(world.sign(world.policy(results="approve"), by=["anna", "ben"]))


def attack(world: World) -> None:
    world.propose(world.result(), by=["ky"])


def twin(world: World) -> None:
    world.propose(world.result(), by=["ky", "anna", "ben"])
