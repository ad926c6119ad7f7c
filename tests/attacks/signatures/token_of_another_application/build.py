from __future__ import annotations

from tests.attacks.sshsig import sk_public, sk_signed
from tests.attacks.world import World
from tests.support.simulator import key_entry, place_of, private_key


def by_token(world: World, application: str) -> None:
    """A dataset, signed by a hardware key for this application."""
    record = world.dataset("ky/other")
    namespace = f"mpgit-dataset-v1@{world.snapshot.identity[:32]}"
    payload = world.sign(record)[place_of(record).path]
    private = private_key("ky", "token")
    made = sk_signed(payload, namespace, private, application=application)
    world.propose_with(record, {"ky": made})


def base(world: World) -> None:
    token = {**key_entry("ky", "token"), "public_key": sk_public(private_key("ky", "token"))}
    new = world.participant("ky", key_entry("ky"), token)
    files = world.sign(new, by=["ky"])
    namespace = f"mpgit-participant-v1@{world.snapshot.identity[:32]}"
    payload = files[place_of(new).path]
    proof = sk_signed(payload, namespace, private_key("ky", "token"))
    world.merge(files | {place_of(new).signature("ky", "token"): proof})


def attack(world: World) -> None:
    by_token(world, "ssh:elsewhere")


def twin(world: World) -> None:
    by_token(world, "ssh:")
