from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_bytes(Place("dataset", "ky/other", 1), b"", by=["ky"])


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
