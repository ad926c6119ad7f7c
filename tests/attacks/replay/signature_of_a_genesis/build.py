from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import place_of


def attack(world: World) -> None:
    record = world.root(name="Taken over")
    files = world.sign(record, by=["ada"])
    signature = world.signature(
        place_of(record), files[place_of(record).path], "amy", namespace="mpgit-root-v1"
    )
    world.put(files | {place_of(record).signature("amy"): signature})


def twin(world: World) -> None:
    world.propose(world.root(name="New name"), by=["ada", "amy"])
