from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_fields(world.result(), {"execution.registry_commit": None}, by=["ky"])


def twin(world: World) -> None:
    world.propose_fields(world.result(), {"execution.registry_commit": "b" * 40}, by=["ky"])
