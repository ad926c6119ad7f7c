from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World
from tests.support.simulator import Simulator


def base(world: World) -> None:
    world.begin(Simulator())


def attack(world: World) -> None:
    world.put(world.genesis())
    world.remove(Place("root", "root", 1).signature("alan"))
    world.remove(Place("root", "root", 1).signature("amy"))


def twin(world: World) -> None:
    world.put(world.genesis())
