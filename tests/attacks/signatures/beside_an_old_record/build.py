from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World
from tests.support.simulator import DATASET


def attack(world: World) -> None:
    place = Place("dataset", DATASET, 1)
    made = world.signature(place, world.read(place.path), "ada")
    world.put({place.signature("ada"): made})


def twin(world: World) -> None:
    world.propose(world.dataset(), by=["ky"])
