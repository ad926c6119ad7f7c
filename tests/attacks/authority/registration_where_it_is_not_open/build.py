from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import participant_record


def attack(world: World) -> None:
    world.propose(participant_record("mercy"), by=["mercy"])


def twin(world: World) -> None:
    world.propose(participant_record("mercy"), by=["mercy", "alan"])
