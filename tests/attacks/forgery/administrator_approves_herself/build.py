from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import key_entry, participant_record


def attack(world: World) -> None:
    same = {**key_entry("ada"), "name": "first"}
    world.propose_forged(participant_record("eve", same), {"eve": "ada", "ada": "ada"})


def twin(world: World) -> None:
    world.propose_forged(participant_record("eve"), {"eve": "eve", "ada": "ada"})
