from __future__ import annotations

from tests.attacks.world import FOLDER, World


def attack(world: World) -> None:
    oid = world.git.raw_tree([])
    for _ in range(30):
        oid = world.git.raw_tree([(b"40000", b"a", oid), (b"40000", b"b", oid)])
    world.put_object("registry/datasets/zoe", FOLDER, oid)


def twin(world: World) -> None:
    world.propose(world.dataset("ms/zoe"), by=["ms"])
