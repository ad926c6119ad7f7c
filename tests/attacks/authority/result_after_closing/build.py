from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.merge(world.sign(world.policy(open=False), by=["anna", "ben"]))
    world.propose(world.result(), by=["ky"])


def twin(world: World) -> None:
    world.merge(world.sign(world.policy(open=True), by=["anna", "ben"]))
    world.propose(world.result(), by=["ky"])
