from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import key_entry


def attack(world: World) -> None:
    new = world.participant("ms", key_entry("ms"), {**key_entry("ky"), "name": "stolen"})
    world.propose(new, by=["ms"])


def twin(world: World) -> None:
    new = world.participant("ms", key_entry("ms"), key_entry("ms", "second"))
    world.propose(new, by=["ms"], proofs=["second"])
