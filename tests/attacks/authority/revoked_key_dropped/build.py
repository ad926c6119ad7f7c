from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import key_entry


def base(world: World) -> None:
    keys = key_entry("ky", revoked="lost"), key_entry("ky", "second")
    world.merge(world.sign(world.participant("ky", *keys), by=["ky"], proofs=["second"]))


def attack(world: World) -> None:
    world.propose(world.participant("ky", key_entry("ky", "second")), by=["ky"])


def twin(world: World) -> None:
    keys = key_entry("ky", revoked="compromised"), key_entry("ky", "second")
    world.propose(world.participant("ky", *keys), by=["ky"])
