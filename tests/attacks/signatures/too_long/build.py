from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_signed(world.dataset("ky/other"), "ky", cut=65)


def twin(world: World) -> None:
    world.propose_signed(world.dataset("ky/other"), "ky")
