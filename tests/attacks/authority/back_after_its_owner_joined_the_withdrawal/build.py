from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import BENCHMARK, MODEL


def base(world: World) -> None:
    world.merge(world.sign(world.policy(models={"mode": "auto"}), by=["anna", "ben"]))


def attack(world: World) -> None:
    gone = world.withdrawal("model-association", f"{BENCHMARK}/{MODEL}")
    world.merge(world.sign(gone, by=["anna", "ben", "maker"]))
    world.propose(world.model_association(), by=["maker"])


def twin(world: World) -> None:
    gone = world.withdrawal("model-association", f"{BENCHMARK}/{MODEL}")
    world.merge(world.sign(gone, by=["maker"]))
    world.propose(world.model_association(), by=["maker"])
