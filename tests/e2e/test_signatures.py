"""OpenSSH alone, with the allowed-signers file that mpgit writes, checks every signature."""

from __future__ import annotations

import hashlib
import random
import subprocess
from pathlib import Path

from medperf_git.canonical.digest import sha256_hex
from medperf_git.records.kinds import KINDS
from medperf_git.store.paths import GENESIS, SignaturePlace
from medperf_git.workflows.allowed_signers import allowed_signers
from tests.e2e.stories import Told, files_of, signed
from tests.support import simulator

STORY_KINDS = set(KINDS) - {"withdrawal", "control"}
"""What is signed in the story; the simulator signs the rest."""


def namespace(place: SignaturePlace, identity: str) -> str:
    """The namespace, as design.md §4 has it: not asked of the code under test."""
    if place.record.path == GENESIS:
        return "mpgit-root-v1"
    return f"mpgit-{place.record.record_kind}-v1@{identity[:32]}"


def verifies(
    signers: Path, folder: Path, who: str, space: str, signature: bytes, payload: bytes
) -> bool:
    """Whether OpenSSH accepts a signature."""
    file = folder / "one.sig"
    file.write_bytes(signature)
    done = subprocess.run(
        ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", who, "-n", space, "-s", str(file)],
        input=payload, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == done.stdout.startswith(b'Good "'), done.stdout
    return done.returncode == 0


def flipped(payload: bytes, seed: str) -> bytes:
    """One byte changed, somewhere."""
    chance = random.Random(seed)  # noqa: S311 (which byte is no secret)
    at = chance.randrange(len(payload))
    return payload[:at] + bytes([payload[at] ^ chance.randrange(1, 256)]) + payload[at + 1 :]


def test_openssh_accepts_every_signature(
    sandbox_story: Told, signers: Path, tmp_path: Path
) -> None:
    files = files_of(sandbox_story.snapshot())
    identity = hashlib.sha256(files[GENESIS]).hexdigest()
    kinds = set()
    for place, signature, payload in signed(files):
        kinds.add(place.record.record_kind)
        space = namespace(place, identity)
        assert verifies(signers, tmp_path, place.signer, space, signature, payload), place.path
    assert kinds == STORY_KINDS


def test_openssh_refuses_every_signature_after_one_changed_byte(
    sandbox_story: Told, signers: Path, tmp_path: Path
) -> None:
    files = files_of(sandbox_story.snapshot())
    identity = sha256_hex(files[GENESIS])
    for place, signature, payload in signed(files):
        space = namespace(place, identity)
        changed = flipped(payload, place.path)
        assert not verifies(signers, tmp_path, place.signer, space, signature, changed)


def test_openssh_refuses_another_signer_kind_or_registry(
    sandbox_story: Told, signers: Path, tmp_path: Path
) -> None:
    files = files_of(sandbox_story.snapshot())
    identity = sha256_hex(files[GENESIS])
    place, signature, payload = next(
        found for found in signed(files) if found[0].record.kind == "result"
    )
    for who, space in (
        ("ms", namespace(place, identity)),
        (place.signer, f"mpgit-dataset-v1@{identity[:32]}"),
        (place.signer, f"mpgit-result-v1@{sha256_hex(b'another')[:32]}"),
        (place.signer, "mpgit-result-v1"),
    ):
        assert not verifies(signers, tmp_path, who, space, signature, payload)


def test_openssh_accepts_the_kinds_that_the_story_lacks(tmp_path: Path) -> None:
    registry = simulator.full_registry()
    registry.merge(
        registry.sign(
            registry.withdrawal("result", simulator.RESULT), by=[simulator.DATASET.split("/")[0]]
        )
    )
    control = registry.sign(registry.control(sha256_hex(b"tree")), by=simulator.ADMINISTRATORS[:2])
    files = {path: payload for path, (_, payload) in registry.tree.files.items()} | control
    file = tmp_path / "allowed_signers"
    file.write_text(allowed_signers(registry.snapshot))
    identity = sha256_hex(files[GENESIS])
    kinds = set()
    for place, signature, payload in signed(files):
        kinds.add(place.record.record_kind)
        space = namespace(place, identity)
        assert verifies(file, tmp_path, place.signer, space, signature, payload), place.path
    assert kinds == set(KINDS)
