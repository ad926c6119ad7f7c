from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import PREPARATION


def attack(world: World) -> None:
    future = {**world.pin("mlcube", PREPARATION), "revision": 2}
    world.propose(world.dataset("ky/other", preparation=future), by=["ky"])


def twin(world: World) -> None:
    present = {**world.pin("mlcube", PREPARATION), "revision": 1}
    world.propose(world.dataset("ky/other", preparation=present), by=["ky"])
