from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    bomb = "  a0: &a0 [1]\n"
    for n in range(1, 10):
        bomb += f"  a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]\n"
    world.respell("statistics:\n", "statistics:\n" + bomb)


def twin(world: World) -> None:
    world.respell("statistics:\n", "statistics:\n  a0: 1\n")
