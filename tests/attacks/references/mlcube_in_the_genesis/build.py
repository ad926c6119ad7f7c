from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import Simulator


def base(world: World) -> None:
    world.begin(Simulator())


def attack(world: World) -> None:
    world.put(world.genesis())
    ahead = world.requested()
    world.put(ahead.sign(ahead.mlcube("ada/x", "metrics"), by=["ada"]))


def twin(world: World) -> None:
    world.put(world.genesis())
