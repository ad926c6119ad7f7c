from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.result(), by=["ms"])


def twin(world: World) -> None:
    world.propose(world.result(), by=["ky"])
