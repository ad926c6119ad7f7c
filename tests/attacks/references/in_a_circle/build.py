from __future__ import annotations

from medperf_git.records.base import Record
from tests.attacks.world import World
from tests.support.simulator import BENCHMARK_SIGNERS, Simulator, digest, passing_test


def benchmark_on(registry: Simulator) -> Record:
    """A new benchmark that pins the model as it is in this registry."""
    test = passing_test(digest("chair/loop"))
    pin = registry.pin("model", "chair/loop")
    return registry.benchmark("chair/new", reference_model=pin, compatibility_test=test)


def attack(world: World) -> None:
    draft = world.ahead(world.sign(world.model("chair/loop")))
    benchmark = benchmark_on(draft)
    world.propose(benchmark, by=BENCHMARK_SIGNERS)
    pin = world.requested().pin("benchmark", "chair/new")["sha256"]
    world.propose(world.model("chair/loop", description=f"Made for {pin}"), by=["chair"])


def twin(world: World) -> None:
    world.propose(world.model("chair/loop", description="Made for anybody"), by=["chair"])
    world.propose(benchmark_on(world.requested()), by=BENCHMARK_SIGNERS)
