from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.respell("cases: 211", "%YAML 1.1\ncases: 211")


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
