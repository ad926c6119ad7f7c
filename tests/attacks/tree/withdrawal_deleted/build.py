from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World
from tests.support.simulator import MODEL


def base(world: World) -> None:
    world.merge(world.sign(world.withdrawal("model", MODEL), by=["maker"]))


def attack(world: World) -> None:
    world.remove(Place("model", MODEL, 1, withdrawn=True).path)


def twin(world: World) -> None:
    world.propose(world.model(), by=["maker"])
