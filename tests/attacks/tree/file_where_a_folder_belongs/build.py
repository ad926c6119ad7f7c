from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.put({"registry/datasets/ms": b"mine\n"})


def twin(world: World) -> None:
    world.propose(world.dataset("ms/nicu"), by=["ms"])
