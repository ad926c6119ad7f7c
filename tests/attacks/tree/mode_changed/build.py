from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import EXECUTABLE, World
from tests.support.simulator import DATASET


def attack(world: World) -> None:
    path = Place("dataset", DATASET, 1).path
    world.put({path: world.read(path)}, mode=EXECUTABLE)


def twin(world: World) -> None:
    path = Place("dataset", DATASET, 1).path
    world.put({path: world.read(path)})
