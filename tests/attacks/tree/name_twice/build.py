from __future__ import annotations

from tests.attacks.world import FOLDER, NOWHERE, World


def attack(world: World) -> None:
    files = world.sign(world.dataset("ky/other"), by=["ky"])
    good, bad = world.git.store("blob", files["registry/datasets/ky/other/1.yaml"]), NOWHERE
    twice = [(b"100644", b"1.yaml", good), (b"100644", b"1.yaml", bad)]
    world.put_object("registry/datasets/ky/other", FOLDER, world.git.raw_tree(twice))


def twin(world: World) -> None:
    world.put(world.sign(world.dataset("ky/other"), by=["ky"]))
