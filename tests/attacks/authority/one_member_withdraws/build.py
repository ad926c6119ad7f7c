from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK, MODEL


def attack(world: World) -> None:
    gone = world.withdrawal("model-association", f"{BENCHMARK}/{MODEL}")
    world.propose(gone, by=["anna"])


def twin(world: World) -> None:
    gone = world.withdrawal("model-association", f"{BENCHMARK}/{MODEL}")
    world.propose(gone, by=["anna", "chloe"])
