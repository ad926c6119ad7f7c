from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    one, other = world.dataset("ky/other"), world.dataset("ky/other", name="Other")
    world.merge(world.sign(one, by=["ky"]))
    world.propose(other, by=["ky"])
    world.push()


def twin(world: World) -> None:
    world.merge(world.sign(world.dataset("ky/other"), by=["ky"]))
    world.propose(world.dataset("ky/other", name="Other"), by=["ky"])
    world.push()
