from __future__ import annotations

from tests.attacks.world import FOLDER, World


def attack(world: World) -> None:
    empty = world.git.raw_tree([])
    world.put_object("registry/datasets/ky/other/1.yaml", FOLDER, empty)


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
