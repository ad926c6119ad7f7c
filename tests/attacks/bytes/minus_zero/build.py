from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.respell("  cases: 211", "  cases: 211\n  drift: -0.0")


def twin(world: World) -> None:
    world.respell("  cases: 211", "  cases: 211\n  drift: 0.0")
