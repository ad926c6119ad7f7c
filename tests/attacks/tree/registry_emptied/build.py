from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.remove("registry")


def twin(world: World) -> None:
    world.put({"README.md": b"All is well.\n"})
