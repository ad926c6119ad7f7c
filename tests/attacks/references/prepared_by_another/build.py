from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import PREPARATION


def associate(world: World, preparation: str) -> None:
    """A dataset that this MLCube prepared, and its association."""
    pin = world.pin("mlcube", preparation)
    world.merge(world.sign(world.dataset("ky/own", preparation=pin), by=["ky"]))
    world.propose(world.dataset_association("ky/own"), by=["ky", "anna", "ben"])


def base(world: World) -> None:
    world.merge(world.sign(world.mlcube("ky/prep", "data-preparation"), by=["ky"]))


def attack(world: World) -> None:
    associate(world, "ky/prep")


def twin(world: World) -> None:
    associate(world, PREPARATION)
