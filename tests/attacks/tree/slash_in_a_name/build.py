from __future__ import annotations

from tests.attacks.world import FOLDER, World


def attack(world: World) -> None:
    blob = world.git.store("blob", b"mine\n")
    entry = (b"100644", b"../opt/1.yaml", blob)
    world.put_object("registry/datasets/ky/other", FOLDER, world.git.raw_tree([entry]))


def twin(world: World) -> None:
    world.put(world.sign(world.dataset("ky/other"), by=["ky"]))
