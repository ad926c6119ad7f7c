from __future__ import annotations

from medperf_git.store.paths import GENESIS
from tests.attacks.world import World
from tests.support.simulator import Simulator


def attack(world: World) -> None:
    world.put({GENESIS: Simulator().genesis(["ada", "eve"], threshold=1)[GENESIS]})
    world.push()


def twin(world: World) -> None:
    world.propose(world.root(["ada", "alan"]), by=["ada", "alan"])
    world.push()
