from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.respell("name: ky/other", "name: 2024-01-31")


def twin(world: World) -> None:
    world.respell("name: ky/other", 'name: "2024-01-31"')
