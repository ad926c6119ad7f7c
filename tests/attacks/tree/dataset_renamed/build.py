from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.dataset("ky/renamed"), by=["ky"])
    world.remove("registry/datasets/ky/opt")


def twin(world: World) -> None:
    world.propose(world.dataset("ky/renamed"), by=["ky"])
