from __future__ import annotations

from tests.attacks.world import World


def with_policy(world: World, *images: str) -> None:
    """Main takes a policy that admits these kinds; a model's association is proposed."""
    world.merge(world.sign(world.policy(images=list(images)), by=["anna", "ben"]))
    world.propose(world.model_association(), by=["maker", "anna", "ben"])


def attack(world: World) -> None:
    with_policy(world, "archive")


def twin(world: World) -> None:
    with_policy(world, "archive", "reference")
