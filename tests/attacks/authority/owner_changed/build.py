from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.dataset(name="Now of ms"), by=["ms"])


def twin(world: World) -> None:
    world.propose(world.dataset(name="Still of ky"), by=["ky"])
