from __future__ import annotations

from medperf_git.store.paths import GENESIS
from tests.attacks.world import World
from tests.support.simulator import Simulator


def attack(world: World) -> None:
    other = Simulator()
    world.put({GENESIS: other.genesis(["ada", "eve"], threshold=1)[GENESIS]})


def twin(world: World) -> None:
    world.propose(world.root(["ada", "alan"], threshold=1), by=["ada", "alan"])
