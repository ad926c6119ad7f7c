from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_fields(world.result(), {"metrics.0.low": None, "metrics.0.high": None}, by=["ky"])


def twin(world: World) -> None:
    world.propose_fields(world.result(), {"metrics.0.low": 0.5, "metrics.0.high": 1.0}, by=["ky"])
