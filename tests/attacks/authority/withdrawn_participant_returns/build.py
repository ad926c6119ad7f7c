from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import key_entry


def base(world: World) -> None:
    world.merge(world.sign(world.withdrawal("participant", "ms"), by=["ada", "amy"]))


def attack(world: World) -> None:
    world.propose(world.participant("ms", key_entry("ms")), by=["ms"])


def twin(world: World) -> None:
    new = world.participant("ms", key_entry("ms"))
    world.propose(new, by=["ada", "amy"], proofs=["first"])
