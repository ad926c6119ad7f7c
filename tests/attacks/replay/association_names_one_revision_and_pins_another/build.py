from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK, BENCHMARK_SIGNERS


def base(world: World) -> None:
    world.merge(world.sign(world.benchmark(), by=BENCHMARK_SIGNERS))


def attack(world: World) -> None:
    mixed = {"benchmark": {**world.pin("benchmark", BENCHMARK, 1), "revision": 2}}
    world.propose_fields(world.dataset_association(), mixed, by=["ky", "anna", "ben"])


def twin(world: World) -> None:
    world.propose(world.dataset_association(), by=["ky", "anna", "ben"])
