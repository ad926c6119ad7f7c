from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import CASES


def result_on(world: World, evaluated: int) -> None:
    """A result that rests on this many of the dataset's cases."""
    counts = {"cases": CASES, "evaluated": evaluated, "failed": CASES - evaluated, "excluded": 0}
    fields = {"denominator": counts, "metrics.0.n": evaluated}
    world.propose_fields(world.result(), fields, by=["ky"])


def attack(world: World) -> None:
    result_on(world, 19)


def twin(world: World) -> None:
    result_on(world, 20)
