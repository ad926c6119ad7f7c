from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World
from tests.support.simulator import RESULT


def base(world: World) -> None:
    world.merge(world.sign(world.result(), by=["ky"]))


def attack(world: World) -> None:
    old, new = Place("result", RESULT, 1), Place("result", RESULT, 3)
    world.replay(old, new, "ky")


def twin(world: World) -> None:
    world.propose(world.result(), by=["ky"])
