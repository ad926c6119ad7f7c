from __future__ import annotations

from tests.attacks.world import EXECUTABLE, World


def attack(world: World) -> None:
    world.put(world.sign(world.dataset("ky/other")), mode=EXECUTABLE)


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
