from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World
from tests.support.simulator import RESULT


def attack(world: World) -> None:
    main = world.main
    world.propose(world.dataset("ky/other"), by=["ky"])
    branch = world.git.commit(world.git.tree(world.request), [main], "A request")
    path = Place("result", RESULT, 1).path
    world.put({path: world.read(path).replace(b"value: 0.75", b"value: 0.79")})
    world.push(main, branch)


def twin(world: World) -> None:
    main = world.main
    world.propose(world.dataset("ky/other"), by=["ky"])
    branch = world.git.commit(world.git.tree(world.request), [main], "A request")
    world.push(main, branch)
