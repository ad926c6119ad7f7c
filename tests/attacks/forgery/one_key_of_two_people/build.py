from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import key_entry, place_of


def base(world: World) -> None:
    new = world.participant("ben", key_entry("ben"), {**key_entry("anna"), "name": "shared"})
    place = place_of(new)
    files = world.sign(new, by=["ben"])
    files[place.signature("ben", "shared")] = world.signature(place, files[place.path], "anna")
    world.merge(files)


def attack(world: World) -> None:
    world.propose_forged(world.policy(), {"anna": "anna", "ben": "anna"})


def twin(world: World) -> None:
    world.propose_forged(world.policy(), {"anna": "anna", "ben": "ben:first"})
