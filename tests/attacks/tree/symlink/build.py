from __future__ import annotations

from tests.attacks.world import LINK, World


def attack(world: World) -> None:
    world.put({"registry/datasets/ky/other/1.yaml": b"../../../../../etc/passwd"}, mode=LINK)


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
