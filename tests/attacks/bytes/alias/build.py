from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.respell("kind: dataset\nname: ky/other", "kind: &a dataset\nname: *a")


def twin(world: World) -> None:
    world.respell("kind: dataset\nname: ky/other", "kind: dataset\nname: dataset")
