from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import DATASET


def attack(world: World) -> None:
    later = world.ahead(world.sign(world.dataset()))
    world.propose(later.withdrawal("dataset", DATASET), by=["ky"])


def twin(world: World) -> None:
    world.propose(world.withdrawal("dataset", DATASET), by=["ky"])
