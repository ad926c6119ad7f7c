from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_with(world.dataset("ky/other"), {"ky": b"Approved. ky\n"})


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
