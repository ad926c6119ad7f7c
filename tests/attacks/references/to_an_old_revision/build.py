from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import PREPARATION


def base(world: World) -> None:
    world.merge(world.sign(world.mlcube(PREPARATION, "data-preparation"), by=["chair"]))


def attack(world: World) -> None:
    old = world.pin("mlcube", PREPARATION, 1)
    world.propose(world.dataset("ky/other", preparation=old), by=["ky"])


def twin(world: World) -> None:
    new = world.pin("mlcube", PREPARATION, 2)
    world.propose(world.dataset("ky/other", preparation=new), by=["ky"])
