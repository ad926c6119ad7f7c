from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import CASES


def attack(world: World) -> None:
    fewer = {"denominator.cases": CASES - 1, "denominator.excluded": 9}
    world.propose_fields(world.result(), fewer, by=["ky"])


def twin(world: World) -> None:
    all_of_them = {"denominator.cases": CASES, "denominator.excluded": 10}
    world.propose_fields(world.result(), all_of_them, by=["ky"])
