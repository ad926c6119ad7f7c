from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import METRICS, PREPARATION


def attack(world: World) -> None:
    metrics = world.pin("mlcube", METRICS)
    world.propose(world.dataset("ky/other", preparation=metrics), by=["ky"])


def twin(world: World) -> None:
    preparation = world.pin("mlcube", PREPARATION)
    world.propose(world.dataset("ky/other", preparation=preparation), by=["ky"])
