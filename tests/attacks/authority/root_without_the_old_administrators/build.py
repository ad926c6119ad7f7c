from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.root(["ada", "maker", "ky"]), by=["ada", "maker", "ky"])


def twin(world: World) -> None:
    world.propose(world.root(["ada", "maker", "ky"]), by=["ada", "alan", "maker", "ky"])
