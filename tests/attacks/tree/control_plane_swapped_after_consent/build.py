from __future__ import annotations

from medperf_git.checks.control_rules import control_digest
from tests.attacks.world import World
from tests.support.simulator import begun_registry


def base(world: World) -> None:
    world.begin(begun_registry(control_plane="signed"))


def attack(world: World) -> None:
    world.put({"README.md": b"Trust nobody.\n"})
    world.propose(world.control(control_digest(world.requested().tree)), by=["ada", "amy"])
    world.put({"README.md": b"Trust the host.\n"})


def twin(world: World) -> None:
    world.put({"README.md": b"Trust nobody.\n"})
    world.propose(world.control(control_digest(world.requested().tree)), by=["ada", "amy"])
