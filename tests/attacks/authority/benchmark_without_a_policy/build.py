from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK_SIGNERS


def base(world: World) -> None:
    world.merge(world.sign(world.benchmark("chair/new"), by=BENCHMARK_SIGNERS))


def attack(world: World) -> None:
    world.propose(world.policy("chair/new"), by=["anna", "ben"])
    world.propose(world.dataset_association(benchmark="chair/new"), by=["ky", "anna", "ben"])


def twin(world: World) -> None:
    world.merge(world.sign(world.policy("chair/new"), by=["anna", "ben"]))
    world.propose(world.dataset_association(benchmark="chair/new"), by=["ky", "anna", "ben"])
