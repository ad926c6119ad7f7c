from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import RESULT


def attack(world: World) -> None:
    before, commit = world.copy(), world.main
    world.merge(world.sign(world.withdrawal("result", RESULT), by=["ky"]))
    world.remember()
    world.reset(before, commit)
    world.merge(world.sign(world.dataset("ky/other"), by=["ky"]))


def twin(world: World) -> None:
    world.merge(world.sign(world.withdrawal("result", RESULT), by=["ky"]))
    world.remember()
    world.merge(world.sign(world.dataset("ky/other"), by=["ky"]))
