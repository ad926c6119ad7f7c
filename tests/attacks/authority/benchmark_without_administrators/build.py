from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.benchmark("chair/new"), by=["chair", "anna", "ben", "ada"])


def twin(world: World) -> None:
    world.propose(world.benchmark("chair/new"), by=["chair", "anna", "ben", "ada", "amy"])
