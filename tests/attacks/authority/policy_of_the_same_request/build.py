from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.policy(datasets={"mode": "auto"}), by=["anna", "ben"])
    world.propose(world.dataset_association(), by=["ky"])


def twin(world: World) -> None:
    world.merge(world.sign(world.policy(datasets={"mode": "auto"}), by=["anna", "ben"]))
    world.propose(world.dataset_association(), by=["ky"])
