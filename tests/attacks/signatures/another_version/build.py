from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_signed(world.dataset("ky/other"), "ky", version=2)


def twin(world: World) -> None:
    world.propose_signed(world.dataset("ky/other"), "ky")
