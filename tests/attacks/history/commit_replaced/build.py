from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    good = world.main
    world.propose(world.result(), by=["ms"])
    bad = world.push()
    replaced = world.git.path / "refs" / "replace"
    replaced.mkdir()
    (replaced / bad).write_text(good + "\n")


def twin(world: World) -> None:
    good = world.main
    world.propose(world.result(), by=["ky"])
    other = world.push()
    replaced = world.git.path / "refs" / "replace"
    replaced.mkdir()
    (replaced / other).write_text(good + "\n")
