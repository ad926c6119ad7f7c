from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World
from tests.support.simulator import RESULT


def base(world: World) -> None:
    world.merge(world.sign(world.dataset("ky/two"), by=["ky"]))
    world.merge(world.sign(world.dataset_association("ky/two"), by=["ky", "anna", "ben"]))


def attack(world: World) -> None:
    old = Place("result", RESULT, 1)
    new = Place("result", RESULT.replace("opt", "two"), 1)
    world.replay(old, new, "ky")


def twin(world: World) -> None:
    world.propose(world.result(dataset="ky/two"), by=["ky"])
