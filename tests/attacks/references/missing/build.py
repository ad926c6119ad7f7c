from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import PREPARATION


def attack(world: World) -> None:
    nothing = {**world.pin("mlcube", PREPARATION), "id": "chair/nothing"}
    world.propose(world.dataset("ky/other", preparation=nothing), by=["ky"])


def twin(world: World) -> None:
    something = {**world.pin("mlcube", PREPARATION), "id": "chair/prep"}
    world.propose(world.dataset("ky/other", preparation=something), by=["ky"])
