from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    labels = {"mount_path": "/in/labels", "type": "directory"}
    world.propose_fields(world.model(), {"tasks.infer.input_volumes.labels": labels}, by=["maker"])


def twin(world: World) -> None:
    files = {"mount_path": "/in/files", "type": "directory"}
    fields = {"tasks.infer.input_volumes.additional_files": files}
    world.propose_fields(world.model(), fields, by=["maker"])
