from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import place_of


def signature(world: World, namespace: str) -> bytes:
    """Ky's signature of the dataset, for this namespace."""
    record = world.dataset("ky/other")
    payload = world.sign(record)[place_of(record).path]
    return world.signature(place_of(record), payload, "ky", namespace=namespace)


def attack(world: World) -> None:
    namespace = "git"
    world.propose_with(world.dataset("ky/other"), {"ky": signature(world, namespace)})


def twin(world: World) -> None:
    namespace = f"mpgit-dataset-v1@{world.snapshot.identity[:32]}"
    world.propose_with(world.dataset("ky/other"), {"ky": signature(world, namespace)})
