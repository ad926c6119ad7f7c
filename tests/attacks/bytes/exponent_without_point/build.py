from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.respell("  cases: 211", "  cases: 211\n  rows: 1e3")


def twin(world: World) -> None:
    world.respell("  cases: 211", "  cases: 211\n  rows: 1000.0")
