from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import Simulator, place_of


def attack(world: World) -> None:
    fork = Simulator()
    fork.merge(fork.genesis(["ada", "alan"], threshold=1))
    record = world.dataset("ky/other")
    payload = world.sign(record)[place_of(record).path]
    world.propose_with(record, {"ky": fork.signature(place_of(record), payload, "ky", "first")})


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
