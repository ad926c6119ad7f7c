from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    friends = {"members": ["ky", "ms"], "threshold": 2}
    world.propose(world.benchmark(committee=friends), by=["chair", "ky", "ms", "ada", "amy"])


def twin(world: World) -> None:
    friends = {"members": ["ky", "ms"], "threshold": 2}
    world.propose(world.benchmark(committee=friends), by=["chair", "anna", "ben", "ada", "amy"])
