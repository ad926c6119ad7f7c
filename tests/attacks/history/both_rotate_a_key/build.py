from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import key_entry


def attack(world: World) -> None:
    one = world.participant("ky", key_entry("ky", revoked="lost"), key_entry("ky", "second"))
    other = world.participant("ky", key_entry("ky"), key_entry("ky", "second"))
    later = world.sign(other, by=["ky"], proofs=["second"])
    world.merge(world.sign(one, by=["ky"], proofs=["second"]))
    world.put(later)
    world.push()


def twin(world: World) -> None:
    one = world.participant("ky", key_entry("ky", revoked="lost"), key_entry("ky", "second"))
    world.merge(world.sign(one, by=["ky"], proofs=["second"]))
    keys = key_entry("ky", revoked="lost"), key_entry("ky", "second"), key_entry("ky", "third")
    world.propose(world.participant("ky", *keys), by=["ky"], proofs=["third"])
    world.push()
