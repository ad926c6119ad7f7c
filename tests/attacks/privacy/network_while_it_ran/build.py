from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    online = {"execution.steps.0.isolation.network": "host"}
    world.propose_fields(world.result(), online, by=["ky"])


def twin(world: World) -> None:
    offline = {"execution.steps.0.isolation.network": "none"}
    world.propose_fields(world.result(), offline, by=["ky"])
