from __future__ import annotations

from tests.attacks.world import World


def base(world: World) -> None:
    listed = {"mode": "listed", "participants": ["ky"]}
    world.merge(world.sign(world.policy(datasets=listed), by=["anna", "ben"]))
    world.merge(world.sign(world.dataset("ms/nicu"), by=["ms"]))


def attack(world: World) -> None:
    world.propose(world.dataset_association("ms/nicu"), by=["ms"])


def twin(world: World) -> None:
    world.propose(world.dataset_association(), by=["ky"])
