from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World
from tests.support.simulator import RESULT


def base(world: World) -> None:
    world.merge(world.sign(world.model("maker/other"), by=["maker"]))
    world.merge(world.sign(world.model_association("maker/other"), by=["maker", "anna", "ben"]))


def attack(world: World) -> None:
    old = Place("result", RESULT, 1)
    new = Place("result", RESULT.replace("net", "other"), 1)
    world.replay(old, new, "ky")


def twin(world: World) -> None:
    world.propose(world.result(model="maker/other"), by=["ky"])
