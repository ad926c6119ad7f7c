from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import MODEL, digest, passing_test


def attack(world: World) -> None:
    test = {**passing_test(digest(MODEL)), "demo_data": digest("chosen")}
    world.propose(world.model_association(compatibility_test=test), by=["maker", "anna", "ben"])


def twin(world: World) -> None:
    test = {**passing_test(digest(MODEL)), "demo_data": digest("demo")}
    world.propose(world.model_association(compatibility_test=test), by=["maker", "anna", "ben"])
