from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import key_entry


def attack(world: World) -> None:
    request = world.sign(world.dataset("ky/other"), by=["ky:first"])
    keys = key_entry("ky", revoked="lost"), key_entry("ky", "second")
    world.merge(world.sign(world.participant("ky", *keys), by=["ky"], proofs=["second"]))
    world.put(request)
    world.push()


def twin(world: World) -> None:
    world.put(world.sign(world.dataset("ky/other"), by=["ky:first"]))
    world.push()
    keys = key_entry("ky", revoked="lost"), key_entry("ky", "second")
    world.merge(world.sign(world.participant("ky", *keys), by=["ky"], proofs=["second"]))
