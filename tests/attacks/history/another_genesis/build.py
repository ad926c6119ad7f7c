from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import Simulator, full_registry


def attack(world: World) -> None:
    other = Simulator()
    other.merge(other.genesis(["ada", "eve"], threshold=1))
    world.begin(other)


def twin(world: World) -> None:
    world.begin(full_registry())
