from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.put({".github/workflows/validate.yml": b"on: push\n"})
    world.propose(world.dataset("ky/other"), by=["ky"])


def twin(world: World) -> None:
    world.put({".github/workflows/validate.yml": b"on: push\n"})
