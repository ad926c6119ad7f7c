from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.put({"registry/.gitattributes": b"*.yaml filter=evil merge=ours\n"})


def twin(world: World) -> None:
    world.put({".gitattributes": b"registry/** -text\n"})
