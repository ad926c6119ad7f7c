from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import participant_record


def attack(world: World) -> None:
    world.propose(participant_record("eve"), by=["eve", "ada"])
    world.propose(world.model("eve/net"), by=["eve"])


def twin(world: World) -> None:
    world.merge(world.sign(participant_record("eve"), by=["eve", "ada"]))
    world.propose(world.model("eve/net"), by=["eve"])
