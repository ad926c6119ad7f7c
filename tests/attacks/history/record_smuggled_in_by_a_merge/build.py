from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    main = world.main
    world.propose(world.dataset("ky/other"), by=["ky"])
    branch = world.git.commit(world.git.tree(world.request), [main], "A request")
    world.propose_forged(world.result(), {"ky": "ms"})
    world.push(main, branch)


def twin(world: World) -> None:
    main = world.main
    world.propose(world.dataset("ky/other"), by=["ky"])
    branch = world.git.commit(world.git.tree(world.request), [main], "A request")
    world.propose_forged(world.result(), {"ky": "ky"})
    world.push(main, branch)
