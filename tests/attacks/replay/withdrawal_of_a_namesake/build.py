from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World


def base(world: World) -> None:
    world.merge(world.sign(world.model("ky/opt"), by=["ky"]))
    world.merge(world.sign(world.withdrawal("model", "ky/opt"), by=["ky"]))


def attack(world: World) -> None:
    model = Place("model", "ky/opt", 1, withdrawn=True)
    dataset = Place("dataset", "ky/opt", 1, withdrawn=True)
    world.replay(model, dataset, "ky")


def twin(world: World) -> None:
    world.propose(world.withdrawal("dataset", "ky/opt"), by=["ky"])
