from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK, BENCHMARK_SIGNERS


def base(world: World) -> None:
    world.merge(world.sign(world.benchmark(), by=BENCHMARK_SIGNERS))


def attack(world: World) -> None:
    old = {"benchmark": world.pin("benchmark", BENCHMARK, 1)}
    world.propose_fields(world.dataset_association(), old, by=["ky", "anna", "ben"])


def twin(world: World) -> None:
    new = {"benchmark": world.pin("benchmark", BENCHMARK, 2)}
    world.propose_fields(world.dataset_association(), new, by=["ky", "anna", "ben"])
