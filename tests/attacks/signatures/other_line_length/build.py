from __future__ import annotations

from tests.attacks.sshsig import armour, unarmour
from tests.attacks.world import World
from tests.support.simulator import place_of


def signature(world: World) -> bytes:
    """Ky's good signature of the dataset."""
    record = world.dataset("ky/other")
    return world.sign(record, by=["ky"])[place_of(record).signature("ky")]


def attack(world: World) -> None:
    rewrapped = armour(unarmour(signature(world)), width=76)
    world.propose_with(world.dataset("ky/other"), {"ky": rewrapped})


def twin(world: World) -> None:
    rewrapped = armour(unarmour(signature(world)), width=70)
    world.propose_with(world.dataset("ky/other"), {"ky": rewrapped})
