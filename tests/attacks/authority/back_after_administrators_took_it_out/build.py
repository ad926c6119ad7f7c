from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import DATASET


def base(world: World) -> None:
    world.merge(world.sign(world.withdrawal("dataset", DATASET), by=["ada", "amy"]))


def attack(world: World) -> None:
    world.propose(world.dataset(), by=["ky"])


def twin(world: World) -> None:
    world.propose(world.dataset(), by=["ky", "ada", "amy"])
