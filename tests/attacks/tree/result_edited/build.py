from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World
from tests.support.simulator import RESULT


def attack(world: World) -> None:
    path = Place("result", RESULT, 1).path
    world.put({path: world.read(path).replace(b"value: 0.75", b"value: 0.79")})


def twin(world: World) -> None:
    world.propose(world.result(), by=["ky"])
