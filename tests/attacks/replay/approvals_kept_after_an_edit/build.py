from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.policy(results="approve"), by=["anna", "ben"])
    edited = world.policy(results="auto")
    world.put(world.sign(edited, by=["ben"]))


def twin(world: World) -> None:
    world.propose(world.policy(results="approve"), by=["anna", "ben"])
    edited = world.policy(results="auto")
    world.put(world.sign(edited, by=["anna", "ben"]))
