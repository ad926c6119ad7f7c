from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.respell("cases: 211\n", "cases: 211\ncases: 900\n")


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
