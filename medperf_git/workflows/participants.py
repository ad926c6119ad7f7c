"""Participants: register, rotate keys, recover after a loss.

Each new key signs too, which proves that whoever lists it also holds it.

Example:
    >>> from medperf_git.records.participant import Key
    >>> text = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGcM2F46GMvybg771XN/wTBcgflT+OtZKgHFxn5QldQm"
    >>> key = Key(name="a", public_key=text)
    >>> revoke((key,), {"a": Revocation(reason="lost")})[0].status
    'revoked'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medperf_git.errors import InputError
from medperf_git.records.codec import replace
from medperf_git.records.participant import Key, Participant, Revocation
from medperf_git.store.snapshot import Snapshot
from medperf_git.trust.keyring import Signer
from medperf_git.workflows.propose import (
    Proposal,
    next_revision,
    place_of,
    propose,
    short_slug,
)
from medperf_git.workflows.session import Session


def register(session: Session, record: Participant, signer: Signer) -> Proposal:
    """A registration, signed by the newcomer's own key.

    Raises:
        InputError: the id is taken.
    """
    snapshot = session.snapshot()
    if snapshot.newest("participant", record.id) is not None:
        raise InputError(
            f"{record.id} is registered already",
            code="participant-exists",
            advice="choose another id; to change keys: mpgit participant rotate",
        )
    return propose(
        place_of("participant", record),
        record,
        identity=snapshot.identity,
        signatures={(record.id, None): signer},
        title=f"Register {record.id}: {record.name}",
        slug="register",
    )


def current(snapshot: Snapshot, participant: str) -> Participant:
    """A participant's newest record.

    Raises:
        InputError: not registered, or withdrawn.
    """
    record = snapshot.participant(participant)
    if record is None:
        raise InputError(
            f"{participant} is not registered",
            code="unknown-participant",
            advice="`mpgit participant ls` lists them",
        )
    return record


def revoke(keys: tuple[Key, ...], revoked: Mapping[str, Revocation]) -> tuple[Key, ...]:
    """The keys, with some of them revoked.

    Raises:
        InputError: a name that no key has.
    """
    unknown = sorted(set(revoked) - {key.name for key in keys})
    if unknown:
        raise InputError(
            f"no key named {unknown[0]}",
            code="unknown-key",
            advice=f"the keys are {', '.join(key.name for key in keys)}",
        )
    return tuple(
        Key(name=k.name, public_key=k.public_key, status="revoked", revoked=revoked[k.name])
        if k.name in revoked
        else k
        for k in keys
    )


def rotate(
    session: Session,
    *,
    signer: Signer,
    new: tuple[str, Signer] | None,
    revoked: Mapping[str, Revocation],
    changes: Mapping[str, Any] | None = None,
) -> Proposal:
    """The next revision of this participant's own record.

    Args:
        session: the registry.
        signer: a key that is active now.
        new: a new key's name and the key, which proves its possession.
        revoked: keys to revoke.
        changes: other fields to set (name, contact, description).

    Raises:
        InputError: nothing would change, or an unknown key.
    """
    snapshot = session.snapshot()
    me = session.participant
    record, proofs = _next(snapshot, me, new, revoked, changes or {})
    return propose(
        place_of("participant", record),
        record,
        identity=snapshot.identity,
        signatures={(me, None): signer, **proofs},
        title=f"Change the keys of {me}" if new or revoked else f"Change the record of {me}",
    )


def recover(
    session: Session,
    participant: str,
    *,
    signer: Signer | None,
    new: tuple[str, Signer] | None,
    revoked: Mapping[str, Revocation],
) -> Proposal:
    """The next revision of a participant who lost every key; administrators sign it.

    The participant makes the request with the new key's proof; each administrator approves.

    Args:
        session: the registry.
        participant: who lost the keys.
        signer: an administrator's key, where an administrator makes the request.
        new: the new key's name and the key.
        revoked: the lost keys.

    Raises:
        InputError: nothing would change, or an unknown key.
    """
    snapshot = session.snapshot()
    record, proofs = _next(snapshot, participant, new, revoked, {})
    signatures = dict(proofs)
    if signer is not None:
        signatures[session.participant, None] = signer
    return propose(
        place_of("participant", record),
        record,
        identity=snapshot.identity,
        signatures=signatures,
        title=f"Recover {participant}",
        slug=short_slug(f"recover-{participant}-{record.revision}"),
    )


def _next(
    snapshot: Snapshot,
    participant: str,
    new: tuple[str, Signer] | None,
    revoked: Mapping[str, Revocation],
    changes: Mapping[str, Any],
) -> tuple[Participant, dict[tuple[str, str | None], Signer]]:
    now = current(snapshot, participant)
    keys = revoke(now.keys, revoked)
    proofs: dict[tuple[str, str | None], Signer] = {}
    if new is not None:
        name, signer = new
        if any(name == key.name for key in keys):
            raise InputError(
                f"there is a key named {name} already",
                code="key-exists",
                advice="choose another name for the new key; old keys stay listed",
            )
        keys += (Key(name=name, public_key=signer.public.text),)
        proofs[participant, name] = signer
    if not any(key.status == "active" for key in keys):
        raise InputError(
            "no active key would be left",
            code="no-active-key",
            advice="add a new one: --new-key NAME",
        )
    revision = next_revision(snapshot, "participant", participant)
    record = replace(now, **{**changes, "keys": keys, "revision": revision})
    assert isinstance(record, Participant)  # noqa: S101 (a copy of one)
    if record.model_copy(update={"revision": now.revision}) == now:
        raise InputError(
            "nothing would change", code="no-change", advice="name a --new-key or a --revoke"
        )
    return record, proofs
