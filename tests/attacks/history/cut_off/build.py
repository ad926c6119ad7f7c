from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    (world.git.path / "shallow").write_text(world.main + "\n")


def twin(world: World) -> None:
    (world.git.path / "description").write_text("A whole history.\n")
