from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.put({"registry/root/1.withdrawn.yaml": world.read("registry/root/1.yaml")})


def twin(world: World) -> None:
    world.propose(world.root(["ada", "alan"]), by=["ada", "alan"])
