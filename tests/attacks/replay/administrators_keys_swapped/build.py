from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import Simulator, key_entry, participant_record, place_of


def found(world: World, key: str) -> None:
    """The genesis, with this person's key in ada's record."""
    world.put(world.genesis())
    record = participant_record("ada", {**key_entry(key), "name": "first"})
    place = place_of(record)
    ahead = world.requested()
    world.put(ahead.sign(record))
    payload = ahead.sign(record)[place.path]
    world.put({place.signature("ada"): ahead.signature(place, payload, key, "first")})


def base(world: World) -> None:
    world.begin(Simulator())


def attack(world: World) -> None:
    found(world, key="eve")


def twin(world: World) -> None:
    found(world, key="ada")
