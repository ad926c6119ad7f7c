from __future__ import annotations

from tests.attacks.world import World


def with_policy(world: World, *images: str) -> None:
    """Main takes a policy that admits these kinds; a dataset's association is proposed."""
    world.merge(world.sign(world.policy(images=list(images)), by=["anna", "ben"]))
    world.propose(world.dataset_association(), by=["ky", "anna", "ben"])


def attack(world: World) -> None:
    with_policy(world, "archive")


def twin(world: World) -> None:
    with_policy(world, "archive", "reference")
