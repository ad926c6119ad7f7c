from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    deep = "".join("  " * depth + "a:\n" for depth in range(1, 2000)) + "  " * 2000 + "a: 1\n"
    record = world.dataset("ky/other")
    world.propose_respelled(record, "statistics:\n", "statistics:\n" + deep, by=["ky"])


def twin(world: World) -> None:
    statistics = {"a": {"a": {"a": {"a": 1}}}, "cases": 211}
    world.propose(world.dataset("ky/other", statistics=statistics), by=["ky"])
