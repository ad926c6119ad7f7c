from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.root(["maker", "ky"]), by=["ada", "alan"])


def twin(world: World) -> None:
    world.propose(world.root(["maker", "ky"]), by=["ada", "alan", "maker", "ky"])
