from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import key_entry


def attack(world: World) -> None:
    new = world.participant("ky", key_entry("ky", revoked="lost"), key_entry("ky", "second"))
    made_by = {"ada": "ada", "amy": "eve:first", "ky.second": "ky:second"}
    world.propose_forged(new, made_by)


def twin(world: World) -> None:
    new = world.participant("ky", key_entry("ky", revoked="lost"), key_entry("ky", "second"))
    made_by = {"ada": "ada", "amy": "amy", "ky.second": "ky:second"}
    world.propose_forged(new, made_by)
