from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.propose(world.result(), by=["ms"])
    world.push()
    (world.git.path / "info").mkdir()
    (world.git.path / "info" / "grafts").write_text(world.main + "\n")


def twin(world: World) -> None:
    world.propose(world.result(), by=["ky"])
    world.push()
    (world.git.path / "info").mkdir()
    (world.git.path / "info" / "exclude").write_text("*.bak\n")
