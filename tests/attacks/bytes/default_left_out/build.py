from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_respelled(world.model(), "network: none\n", "", by=["maker"])


def twin(world: World) -> None:
    world.propose(world.model(), by=["maker"])
