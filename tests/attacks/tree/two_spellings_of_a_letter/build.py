from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import participant_record


def attack(world: World) -> None:
    world.put({"registry/participants/zoe\u0308/1.yaml": b"mine\n"})


def twin(world: World) -> None:
    world.propose(participant_record("zoe"), by=["zoe", "ada"])
