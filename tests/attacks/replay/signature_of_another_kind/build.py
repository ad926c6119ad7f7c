from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import place_of


def of_kind(world: World, kind: str) -> None:
    """A dataset, signed as if it were a record of this kind."""
    record = world.dataset("ky/other")
    payload = world.sign(record)[place_of(record).path]
    namespace = f"mpgit-{kind}-v1@{world.snapshot.identity[:32]}"
    signature = world.signature(place_of(record), payload, "ky", namespace=namespace)
    world.propose_with(record, {"ky": signature})


def attack(world: World) -> None:
    of_kind(world, "model")


def twin(world: World) -> None:
    of_kind(world, "dataset")
