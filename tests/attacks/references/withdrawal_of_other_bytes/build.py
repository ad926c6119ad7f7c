from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import DATASET, digest


def attack(world: World) -> None:
    fields = {"target.sha256": digest("another")}
    world.propose_fields(world.withdrawal("dataset", DATASET), fields, by=["ky"])


def twin(world: World) -> None:
    world.propose_fields(world.withdrawal("dataset", DATASET), {}, by=["ky"])
