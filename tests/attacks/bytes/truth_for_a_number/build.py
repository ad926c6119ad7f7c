from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_fields(world.dataset("ky/other"), {"cases": True}, by=["ky"])


def twin(world: World) -> None:
    world.propose_fields(world.dataset("ky/other"), {"cases": 1}, by=["ky"])
