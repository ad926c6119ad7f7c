from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import key_entry


def attack(world: World) -> None:
    before, commit = world.copy(), world.main
    keys = key_entry("ky", revoked="lost"), key_entry("ky", "second")
    world.merge(world.sign(world.participant("ky", *keys), by=["ky"], proofs=["second"]))
    world.remember()
    world.reset(before, commit)


def twin(world: World) -> None:
    keys = key_entry("ky", revoked="lost"), key_entry("ky", "second")
    world.merge(world.sign(world.participant("ky", *keys), by=["ky"], proofs=["second"]))
    world.remember()
