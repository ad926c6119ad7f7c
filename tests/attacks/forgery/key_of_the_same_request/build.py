from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import key_entry


def attack(world: World) -> None:
    new = world.participant("ky", key_entry("ky"), key_entry("ky", "second"))
    world.propose(new, by=["ky"], proofs=["second"])
    world.propose(world.dataset("ky/other"), by=["ky:second"])


def twin(world: World) -> None:
    new = world.participant("ky", key_entry("ky"), key_entry("ky", "second"))
    world.propose(new, by=["ky"], proofs=["second"])
    world.propose(world.dataset("ky/other"), by=["ky:first"])
