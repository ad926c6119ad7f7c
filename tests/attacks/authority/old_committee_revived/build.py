from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK, BENCHMARK_SIGNERS


def base(world: World) -> None:
    others = {"members": ["ky", "ms"], "threshold": 2}
    world.merge(world.sign(world.benchmark(committee=others), by=BENCHMARK_SIGNERS))
    world.merge(world.sign(world.withdrawal("benchmark", BENCHMARK), by=["chair"]))


def attack(world: World) -> None:
    world.propose(world.policy(), by=["ky", "ms", "ben"])


def twin(world: World) -> None:
    world.propose(world.policy(), by=["ky", "ms"])
