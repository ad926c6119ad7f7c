from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import PREPARATION, digest


def attack(world: World) -> None:
    wrong = {**world.pin("mlcube", PREPARATION), "sha256": digest("another")}
    world.propose(world.dataset("ky/other", preparation=wrong), by=["ky"])


def twin(world: World) -> None:
    right = {**world.pin("mlcube", PREPARATION), "revision": 1}
    world.propose(world.dataset("ky/other", preparation=right), by=["ky"])
