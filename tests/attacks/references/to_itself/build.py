from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK


def attack(world: World) -> None:
    itself = {"benchmark": world.pin("policy", BENCHMARK)}
    world.propose_fields(world.policy(), itself, by=["anna", "ben"])


def twin(world: World) -> None:
    benchmark = {"benchmark": world.pin("benchmark", BENCHMARK)}
    world.propose_fields(world.policy(), benchmark, by=["anna", "ben"])
