from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_respelled(world.result(), "seconds: 1.0", "seconds: 1", by=["ky"])


def twin(world: World) -> None:
    world.propose_respelled(world.result(), "seconds: 1.0", "seconds: 2.0", by=["ky"])
