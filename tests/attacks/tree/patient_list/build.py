from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.put({"registry/datasets/ky/opt/patients.csv": b"name,born\nJane Doe,1990-02-03\n"})


def twin(world: World) -> None:
    world.propose(world.dataset(), by=["ky"])
