from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World


def base(world: World) -> None:
    world.merge(world.sign(world.dataset("ky/other"), by=["ky"]))
    world.merge(world.sign(world.withdrawal("dataset", "ky/other"), by=["ky"]))
    world.merge(world.sign(world.dataset("ky/other"), by=["ky"]))


def attack(world: World) -> None:
    old = Place("dataset", "ky/other", 1, withdrawn=True)
    new = Place("dataset", "ky/other", 2, withdrawn=True)
    world.replay(old, new, "ky")


def twin(world: World) -> None:
    world.propose(world.withdrawal("dataset", "ky/other"), by=["ky"])
