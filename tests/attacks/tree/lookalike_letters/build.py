from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import participant_record


def attack(world: World) -> None:
    payload = world.read("registry/participants/ky/1.yaml")
    world.put({"registry/participants/\u043a\u0443/1.yaml": payload})


def twin(world: World) -> None:
    world.propose(participant_record("ku"), by=["ku", "ada"])
