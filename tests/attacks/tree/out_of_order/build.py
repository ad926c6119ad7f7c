from __future__ import annotations

from tests.attacks.world import FOLDER, World


def attack(world: World) -> None:
    files = world.sign(world.dataset("ky/other"), by=["ky"])
    entries = [(b"100644", path.rpartition("/")[2].encode(), data) for path, data in files.items()]
    stored = [(mode, name, world.git.store("blob", data)) for mode, name, data in sorted(entries)]
    world.put_object("registry/datasets/ky/other", FOLDER, world.git.raw_tree(stored[::-1]))


def twin(world: World) -> None:
    files = world.sign(world.dataset("ky/other"), by=["ky"])
    entries = [(b"100644", path.rpartition("/")[2].encode(), data) for path, data in files.items()]
    stored = [(mode, name, world.git.store("blob", data)) for mode, name, data in sorted(entries)]
    world.put_object("registry/datasets/ky/other", FOLDER, world.git.raw_tree(stored))
