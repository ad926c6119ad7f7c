from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import METRICS, PREPARATION


def attack(world: World) -> None:
    world.propose(world.withdrawal("mlcube", PREPARATION), by=["chair"])
    world.propose(world.dataset("ky/other"), by=["ky"])


def twin(world: World) -> None:
    world.propose(world.withdrawal("mlcube", METRICS), by=["chair"])
    world.propose(world.dataset("ky/other"), by=["ky"])
