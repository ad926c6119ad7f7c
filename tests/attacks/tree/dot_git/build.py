from __future__ import annotations

from tests.attacks.world import World


def attack(world: World) -> None:
    world.put({"registry/datasets/.GIT/hooks/post-checkout": b"#!/bin/sh\nid\n"})


def twin(world: World) -> None:
    world.propose(world.dataset("ky/git"), by=["ky"])
