from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.put({"registry/datasets/ky/.gitmodules": b'[submodule "x"]\n\turl = ext::sh -c id\n'})


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
