from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.put({"registry/datasets/ky/OPT/1.yaml": world.read("registry/datasets/ky/opt/1.yaml")})


def twin(world: World) -> None:
    world.propose(world.dataset("ky/opt-2"), by=["ky"])
