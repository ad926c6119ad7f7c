from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.put({"registry/datasets/ky/opt/2.yaml\nall is well": b"mine\n"})


def twin(world: World) -> None:
    world.propose(world.dataset(), by=["ky"])
