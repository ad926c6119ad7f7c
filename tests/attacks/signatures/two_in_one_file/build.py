from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import place_of


def signature(world: World) -> bytes:
    """Ky's good signature of the dataset."""
    record = world.dataset("ky/other")
    return world.sign(record, by=["ky"])[place_of(record).signature("ky")]


def attack(world: World) -> None:
    world.propose_with(world.dataset("ky/other"), {"ky": signature(world) * 2})


def twin(world: World) -> None:
    world.propose_with(world.dataset("ky/other"), {"ky": signature(world)})
