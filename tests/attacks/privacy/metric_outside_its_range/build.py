from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    coded = {"metrics.0.value": 19900203.0, "metrics.0.high": 19900203.0}
    world.propose_fields(world.result(), coded, by=["ky"])


def twin(world: World) -> None:
    highest = {"metrics.0.value": 1.0, "metrics.0.high": 1.0}
    world.propose_fields(world.result(), highest, by=["ky"])
