from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.respell("kind: dataset", 'kind: "dataset"')


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
