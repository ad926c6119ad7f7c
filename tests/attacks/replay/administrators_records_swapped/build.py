from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World
from tests.support.simulator import key_entry


def attack(world: World) -> None:
    ada, amy = Place("participant", "ada", 1).path, Place("participant", "amy", 1).path
    world.put({ada: world.read(amy), amy: world.read(ada)})
    world.push()


def twin(world: World) -> None:
    new = world.participant("ada", key_entry("ada"), key_entry("ada", "second"))
    world.propose(new, by=["ada"], proofs=["second"])
    world.push()
