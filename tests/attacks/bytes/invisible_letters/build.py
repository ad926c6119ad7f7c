from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.respell("name: ky/other", 'name: "ky\u202erehto"')


def twin(world: World) -> None:
    world.respell("name: ky/other", "name: ky other")
