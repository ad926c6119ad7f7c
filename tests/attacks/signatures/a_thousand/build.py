from __future__ import annotations

from medperf_git.store.paths import Place
from tests.attacks.world import World
from tests.support.simulator import place_of


def signature(world: World) -> bytes:
    """Ky's good signature of the dataset."""
    record = world.dataset("ky/other")
    return world.sign(record, by=["ky"])[place_of(record).signature("ky")]


def attack(world: World) -> None:
    many = {f"ky.k{number}": signature(world) for number in range(1000)}
    world.propose(world.dataset("ky/other"), by=["ky"])
    place = Place("dataset", "ky/other", 1)
    world.put({f"{place.stem}.{who}.sig": made for who, made in many.items()})


def twin(world: World) -> None:
    world.propose(world.dataset("ky/other"), by=["ky"])
