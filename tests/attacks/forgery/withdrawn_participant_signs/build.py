from __future__ import annotations

from tests.attacks.world import World


def base(world: World) -> None:
    world.merge(world.sign(world.withdrawal("participant", "ms"), by=["ada", "amy"]))


def attack(world: World) -> None:
    world.propose(world.dataset("ms/nicu"), by=["ms"])


def twin(world: World) -> None:
    world.propose(world.dataset("ky/nicu"), by=["ky"])
