from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import METRICS, PREPARATION


def attack(world: World) -> None:
    record = world.dataset("ky/other")
    world.merge(world.sign(world.withdrawal("mlcube", PREPARATION), by=["chair"]))
    world.propose(record, by=["ky"])


def twin(world: World) -> None:
    record = world.dataset("ky/other")
    world.merge(world.sign(world.withdrawal("mlcube", METRICS), by=["chair"]))
    world.propose(record, by=["ky"])
