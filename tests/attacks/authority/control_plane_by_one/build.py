from __future__ import annotations

from medperf_git.checks.control_rules import control_digest
from tests.attacks.world import World
from tests.support.simulator import begun_registry


def base(world: World) -> None:
    world.begin(begun_registry(control_plane="signed"))


def attack(world: World) -> None:
    world.put({"README.md": b"Mine.\n"})
    world.propose(world.control(control_digest(world.requested().tree)), by=["ada"])


def twin(world: World) -> None:
    world.put({"README.md": b"Ours.\n"})
    world.propose(world.control(control_digest(world.requested().tree)), by=["ada", "amy"])
