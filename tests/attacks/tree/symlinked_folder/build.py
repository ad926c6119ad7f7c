from __future__ import annotations

from tests.attacks.world import LINK, World


def attack(world: World) -> None:
    world.put(world.sign(world.dataset("ky/other"), by=["ky"]))
    world.put({"registry/datasets/ky/other/1.ky.sig": b"../opt/1.ky.sig"}, mode=LINK)


def twin(world: World) -> None:
    world.put(world.sign(world.dataset("ky/other"), by=["ky"]))
