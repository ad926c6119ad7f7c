from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.put({"registry/datasets/../../../.profile": b"id\n"})


def twin(world: World) -> None:
    world.propose(world.dataset("ky/profile"), by=["ky"])
