from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK_SIGNERS


def attack(world: World) -> None:
    ghosts = {"members": ["anna", "ben", "ghost"], "threshold": 2}
    world.propose(world.benchmark("chair/new", committee=ghosts), by=BENCHMARK_SIGNERS)


def twin(world: World) -> None:
    people = {"members": ["anna", "ben", "ms"], "threshold": 2}
    world.propose(world.benchmark("chair/new", committee=people), by=BENCHMARK_SIGNERS)
