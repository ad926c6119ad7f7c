from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.respell("name: ky/other", b'name: "\xff\xfe"')


def twin(world: World) -> None:
    world.respell("name: ky/other", 'name: "\xeb"')
