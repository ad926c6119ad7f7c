from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.put({"schemas/dataset.schema.json": b"{}\n"})
    world.propose(world.dataset("ky/other"), by=["ky"])


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
