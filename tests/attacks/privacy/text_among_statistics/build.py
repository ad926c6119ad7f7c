from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_fields(world.dataset("ky/other"), {"statistics.site": "Jane Doe"}, by=["ky"])


def twin(world: World) -> None:
    world.propose_fields(world.dataset("ky/other"), {"statistics.site": 7}, by=["ky"])
