from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.dataset(revision=2), by=["ky"])
    world.propose(world.dataset(revision=3), by=["ky"])


def twin(world: World) -> None:
    world.merge(world.sign(world.dataset(revision=2), by=["ky"]))
    world.propose(world.dataset(revision=3), by=["ky"])
