from __future__ import annotations

from tests.attacks.world import World


def base(world: World) -> None:
    world.merge(world.sign(world.root(["ada", "alan"]), by=["ada", "alan"]))


def attack(world: World) -> None:
    world.propose(world.root(["ada", "alan"], name="Taken over"), by=["ada", "alan", "amy"])


def twin(world: World) -> None:
    world.propose(world.root(["ada", "alan"], name="New name"), by=["ada", "alan"])
