from __future__ import annotations

import base64

from tests.attacks.sshsig import pack
from tests.attacks.world import World
from tests.support.simulator import key_entry


def raw_key(point: bytes) -> str:
    """The OpenSSH text of an Ed25519 key with these bytes."""
    return "ssh-ed25519 " + base64.b64encode(pack(b"ssh-ed25519", point)).decode()


def attack(world: World) -> None:
    new = world.participant("ky", key_entry("ky"), key_entry("ky", "second", revoked="lost"))
    world.propose_fields(new, {"keys.1.public_key": raw_key(b"\7" * 31)}, by=["ky"])


def twin(world: World) -> None:
    new = world.participant("ky", key_entry("ky"), key_entry("ky", "second", revoked="lost"))
    world.propose_fields(new, {}, by=["ky"])
