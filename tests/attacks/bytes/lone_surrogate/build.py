from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.respell("name: ky/other", 'name: "\\uD800"')


def twin(world: World) -> None:
    world.respell("name: ky/other", 'name: "\xeb"')
