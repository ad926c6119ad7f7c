from __future__ import annotations

from tests.attacks.world import World

AUROC = {"id": "auroc", "value": 0.75, "low": 0.7, "high": 0.8, "n": 200}


def attack(world: World) -> None:
    age = {**AUROC, "id": "age_of_patient_7"}
    world.propose(world.result(metrics=[AUROC, age]), by=["ky"])


def twin(world: World) -> None:
    world.propose(world.result(metrics=[AUROC]), by=["ky"])
