from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import MODEL


def attack(world: World) -> None:
    world.propose(world.withdrawal("model", MODEL), by=["ky"])


def twin(world: World) -> None:
    world.propose(world.withdrawal("model", MODEL), by=["maker"])
