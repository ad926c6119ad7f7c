from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    patients = {"Jane Doe": "1990-02-03 preterm birth at 31 weeks"}
    world.propose_fields(world.result(), {"execution.steps.0.software": patients}, by=["ky"])


def twin(world: World) -> None:
    world.propose_fields(world.result(), {"execution.steps.0.software": {}}, by=["ky"])
