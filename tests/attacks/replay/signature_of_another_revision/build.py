from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World
from tests.support.simulator import DATASET


def attack(world: World) -> None:
    old = world.read(Place("dataset", DATASET, 1).signature("ky"))
    world.propose_with(world.dataset(), {"ky": old})


def twin(world: World) -> None:
    world.propose(world.dataset(), by=["ky"])
