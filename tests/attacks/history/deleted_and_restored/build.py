from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    files = {p: c for p, (_, c) in world.tree.files.items() if p.startswith("registry/results/")}
    world.remove("registry/results")
    world.push()
    world.put(files)
    world.push()


def twin(world: World) -> None:
    world.put({"README.md": b"Hello.\n"})
    world.push()
    world.remove("README.md")
    world.push()
