from __future__ import annotations

from tests.attacks.history.parents_swapped.build import revoke
from tests.attacks.world import World


def attack(world: World) -> None:
    fork = world.main
    revoke(world)
    world.remember()
    real = world.main
    world.put(world.sign(world.dataset("ky/other"), by=["ky:second"]))
    world.push(fork, real)


def twin(world: World) -> None:
    fork = world.main
    revoke(world)
    world.remember()
    real = world.main
    world.put(world.sign(world.dataset("ky/other"), by=["ky:second"]))
    world.push(real, fork)
