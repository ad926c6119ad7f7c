from __future__ import annotations

from tests.attacks.world import FILE, World


def attack(world: World) -> None:
    world.put(world.sign(world.dataset("ky/other")), mode=0o100664)


def twin(world: World) -> None:
    world.put(world.sign(world.dataset("ky/other"), by=["ky"]), mode=FILE)
