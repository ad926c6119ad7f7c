from __future__ import annotations

from tests.attacks.world import FILE, NOWHERE, World


def attack(world: World) -> None:
    world.put_object("registry/datasets/ky/other/1.yaml", FILE, NOWHERE)


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
