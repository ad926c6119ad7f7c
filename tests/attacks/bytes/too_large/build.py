from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    record = world.dataset("ky/other")
    world.propose_respelled(record, "name: ky/other", "name: " + "x" * 300_000, by=["ky"])


def twin(world: World) -> None:
    record = world.dataset("ky/other")
    world.propose_respelled(record, "name: ky/other", "name: " + "x" * 120, by=["ky"])
