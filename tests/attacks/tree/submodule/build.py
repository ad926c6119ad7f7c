from __future__ import annotations

from tests.attacks.world import NOWHERE, SUBMODULE, World


def attack(world: World) -> None:
    world.put_object("registry/datasets/ky/other/1.yaml", SUBMODULE, NOWHERE)


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
