from __future__ import annotations

from tests.attacks.world import World
from tests.support.simulator import Simulator, full_registry, participant_record


def attack(world: World) -> None:
    founding = {p: c for p, (_, c) in full_registry().history[0].files.items()}
    world.begin(Simulator())
    eve = Simulator().ahead(founding).sign(participant_record("eve"), by=["eve", "ada"])
    world.put(founding | eve)
    world.push()


def twin(world: World) -> None:
    founding = {p: c for p, (_, c) in full_registry().history[0].files.items()}
    world.begin(Simulator())
    world.put(founding)
    world.push()
    world.merge(world.sign(participant_record("eve"), by=["eve", "ada"]))
