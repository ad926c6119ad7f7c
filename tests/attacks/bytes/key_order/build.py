from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    sorted_keys, swapped = "kind: dataset\nname: ky/other", "name: ky/other\nkind: dataset"
    world.respell(sorted_keys, swapped)


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
