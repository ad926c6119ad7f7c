from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose_fields(world.result(), {"metrics.0.id": "Jane Doe, 1990"}, by=["ky"])


def twin(world: World) -> None:
    world.propose_fields(world.result(), {"metrics.0.id": "auroc"}, by=["ky"])
