from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK_SIGNERS, place_of


def attack(world: World) -> None:
    record = world.benchmark("chair/policies")
    payload = world.sign(record)[place_of(record).path]
    world.put({"registry/benchmarks/chair/policy/1.yaml": payload})


def twin(world: World) -> None:
    world.propose(world.benchmark("chair/policies"), by=BENCHMARK_SIGNERS)
