from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import key_entry


def revoke(world: World) -> None:
    """Ky's first key is lost, and a second one takes its place."""
    keys = key_entry("ky", revoked="lost"), key_entry("ky", "second")
    world.merge(world.sign(world.participant("ky", *keys), by=["ky"], proofs=["second"]))


def attack(world: World) -> None:
    before, fork = world.copy(), world.main
    revoke(world)
    world.remember()
    after, real = world.copy(), world.main
    world.reset(before, fork)
    side_files = world.sign(world.dataset("ms/other"), by=["ms"])
    world.put(side_files)
    side = world.push()
    world.reset(after, real)
    world.put(side_files)
    world.push(side, real)


def twin(world: World) -> None:
    before, fork = world.copy(), world.main
    revoke(world)
    world.remember()
    after, real = world.copy(), world.main
    world.reset(before, fork)
    side_files = world.sign(world.dataset("ms/other"), by=["ms"])
    world.put(side_files)
    side = world.push()
    world.reset(after, real)
    world.put(side_files)
    world.push(real, side)
