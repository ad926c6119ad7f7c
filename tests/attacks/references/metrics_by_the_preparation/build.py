from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK_SIGNERS, METRICS, PREPARATION


def attack(world: World) -> None:
    wrong = world.pin("mlcube", PREPARATION)
    world.propose(world.benchmark(evaluation_metrics=wrong), by=BENCHMARK_SIGNERS)


def twin(world: World) -> None:
    right = world.pin("mlcube", METRICS)
    world.propose(world.benchmark(evaluation_metrics=right), by=BENCHMARK_SIGNERS)
