from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World
from tests.support.simulator import key_entry, participant_record, place_of


def attack(world: World) -> None:
    record = participant_record("eve", key_entry("eve"), {**key_entry("ky"), "name": "taken"})
    old = world.read(Place("participant", "ky", 1).signature("ky"))
    world.propose(record, by=["eve", "ada"])
    world.put({place_of(record).signature("eve", "taken"): old})


def twin(world: World) -> None:
    record = participant_record("eve", key_entry("eve"), key_entry("eve", "taken"))
    world.propose(record, by=["eve", "ada"], proofs=["taken"])
