from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.respell("  cases: 211", "  cases: 211\n  rows: 0x10")


def twin(world: World) -> None:
    world.respell("  cases: 211", "  cases: 211\n  rows: 16")
