from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK, MODEL, RESULT


def attack(world: World) -> None:
    result = world.result()
    gone = world.withdrawal("model-association", f"{BENCHMARK}/{MODEL}")
    world.merge(world.sign(gone, by=["anna", "ben"]))
    world.propose(result, by=["ky"])


def twin(world: World) -> None:
    result = world.result()
    gone = world.withdrawal("result", RESULT)
    world.merge(world.sign(gone, by=["ky"]))
    world.propose(result, by=["ky"])
