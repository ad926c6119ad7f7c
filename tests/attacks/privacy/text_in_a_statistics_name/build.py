from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_fields(world.dataset("ky/other"), {"statistics.Jane Doe, 1990": 1}, by=["ky"])


def twin(world: World) -> None:
    world.propose_fields(world.dataset("ky/other"), {"statistics.born-1990": 1}, by=["ky"])
