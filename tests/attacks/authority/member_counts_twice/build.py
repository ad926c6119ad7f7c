from __future__ import annotations

from tests.attacks.world import World


def base(world: World) -> None:
    world.merge(world.sign(world.model("anna/net"), by=["anna"]))


def attack(world: World) -> None:
    world.propose(world.model_association("anna/net"), by=["anna"])


def twin(world: World) -> None:
    world.propose(world.model_association("anna/net"), by=["anna", "ben"])
