from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World
from tests.support.simulator import BENCHMARK


def attack(world: World) -> None:
    world.remove(Place("policy", BENCHMARK, 1).signature("ben"))


def twin(world: World) -> None:
    world.propose(world.policy(), by=["anna", "ben"])
