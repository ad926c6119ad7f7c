from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import key_entry


def base(world: World) -> None:
    new = world.participant("anna", key_entry("anna"), key_entry("anna", "second"))
    world.merge(world.sign(new, by=["anna"], proofs=["second"]))


def attack(world: World) -> None:
    world.propose_forged(world.policy(), {"anna": "anna:first", "anna.second": "anna:second"})


def twin(world: World) -> None:
    world.propose_forged(world.policy(), {"anna": "anna:second", "ben": "ben"})
