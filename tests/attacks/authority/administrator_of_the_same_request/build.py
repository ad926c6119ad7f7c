from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import participant_record


def attack(world: World) -> None:
    world.propose(participant_record("eve"), by=["eve", "ada"])
    root = world.requested().root(["ada", "alan", "eve"])
    world.propose(root, by=["ada", "alan"])


def twin(world: World) -> None:
    world.merge(world.sign(participant_record("eve"), by=["eve", "ada"]))
    world.propose(world.root(["ada", "alan", "eve"]), by=["ada", "alan"])
