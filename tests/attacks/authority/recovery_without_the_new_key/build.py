from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import key_entry


def attack(world: World) -> None:
    new = world.participant("ky", key_entry("ky", revoked="lost"), key_entry("ky", "second"))
    world.propose(new, by=["ada", "amy"])


def twin(world: World) -> None:
    new = world.participant("ky", key_entry("ky", revoked="lost"), key_entry("ky", "second"))
    world.propose(new, by=["ada", "amy"], proofs=["second"])
