from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import MODEL, REFERENCE_MODEL, digest, passing_test


def attack(world: World) -> None:
    test = passing_test(digest(REFERENCE_MODEL))
    world.propose(world.model_association(compatibility_test=test), by=["maker", "anna", "ben"])


def twin(world: World) -> None:
    test = passing_test(digest(MODEL))
    world.propose(world.model_association(compatibility_test=test), by=["maker", "anna", "ben"])
