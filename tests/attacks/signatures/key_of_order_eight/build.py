from __future__ import annotations

import base64

from tests.attacks.sshsig import pack
from tests.attacks.world import World
from tests.support.simulator import key_entry


def raw_key(point: bytes) -> str:
    """The OpenSSH text of an Ed25519 key with these bytes."""
    return "ssh-ed25519 " + base64.b64encode(pack(b"ssh-ed25519", point)).decode()


def attack(world: World) -> None:
    point = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
    weak = {**key_entry("ky", "weak", revoked="lost"), "public_key": raw_key(bytes.fromhex(point))}
    world.propose(world.participant("ky", key_entry("ky"), weak), by=["ky"])


def twin(world: World) -> None:
    good = key_entry("ky", "weak", revoked="lost")
    world.propose(world.participant("ky", key_entry("ky"), good), by=["ky"])
