from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    alone = {"members": ["anna", "ben", "chloe"], "threshold": 1}
    world.propose(world.benchmark(committee=alone), by=["chair", "anna", "ada", "amy"])


def twin(world: World) -> None:
    alone = {"members": ["anna", "ben", "chloe"], "threshold": 1}
    world.propose(world.benchmark(committee=alone), by=["chair", "anna", "ben", "ada", "amy"])
