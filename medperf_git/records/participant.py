"""The participant record: an organisation or a person, and its signing keys.

Keys are only ever added or revoked, never removed, so that old signatures stay readable.
Whether a key may sign at a given moment is judged by ``trust.authority``.

Example:
    >>> Key.model_fields["status"].default
    'active'
"""

from __future__ import annotations

import base64
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from medperf_git.records.base import Commit, Count, Name, Part, Record, Revision, Slug, Text

_LENGTH: Final = 4
_ED25519: Final = 32
"""Bytes of a length field and of an Ed25519 public key (RFC 8709 §4)."""


class Revocation(Part):
    """Why a key no longer signs."""

    reason: Literal["superseded", "lost", "compromised"]
    """`superseded` and `lost` leave old signatures good; `compromised` doubts some of them."""
    doubted_from: Commit | None = None
    """For `compromised`: the first commit of main from which this key's signatures are doubted."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.reason == "compromised") != (self.doubted_from is not None):
            raise ValueError("doubted_from: stands exactly with the reason `compromised`")
        return self


def _refuse_other_spelling(public_key: str) -> str:
    """Hold a key to its one spelling, or one key could stand twice, once revoked."""
    name, _, encoded = public_key.partition(" ")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise ValueError("not base64") from error
    fields = []
    rest = blob
    while len(rest) >= _LENGTH:
        size = int.from_bytes(rest[:_LENGTH])
        fields.append(rest[_LENGTH : _LENGTH + size])
        rest = rest[_LENGTH + size :]
    again = b"".join(len(field).to_bytes(_LENGTH) + field for field in fields)
    wanted = [len(name), _ED25519] + ([len(fields[-1])] if name.startswith("sk-") else [])
    if (
        again != blob
        or [len(field) for field in fields] != wanted
        or fields[0] != name.encode()
        or base64.b64encode(blob).decode() != encoded
    ):
        raise ValueError(f"not the OpenSSH spelling of an {name} key")
    return public_key


class Key(Part):
    """One signing key."""

    name: Slug
    """The participant's own name for it, unique in the record."""
    public_key: Annotated[
        str,
        Field(
            pattern=r"^(?:ssh-ed25519|sk-ssh-ed25519@openssh\.com) [A-Za-z0-9+/]+=*$",
            max_length=1000,
        ),
        AfterValidator(_refuse_other_spelling),
    ]
    """The OpenSSH public key without a comment."""
    status: Literal["active", "revoked"] = "active"
    """Whether it may sign now."""
    revoked: Revocation | None = None
    """Stands exactly where the status is `revoked`."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.status == "revoked") != (self.revoked is not None):
            raise ValueError("revoked: stands exactly with the status `revoked`")
        return self


class ForgeIdentity(Part):
    """An account on a forge; the numeric id, since names can change hands."""

    host: Annotated[str, Field(pattern=r"^[a-z0-9.-]+$", max_length=253)]
    """The forge's host name."""
    account: Count
    """The account's numeric id there."""
    login: Annotated[str, Field(max_length=100)] | None = None
    """Its name when this was written, for people."""


class Participant(Record):
    """An organisation or person that takes part, with the keys that speak for it."""

    kind: Literal["participant"]
    """Always `participant`."""
    id: Slug
    """The participant's id: lowercase letters, digits and single hyphens."""
    revision: Revision
    """1 is the registration; rotation and recovery make the next one."""
    name: Name
    """The full name, for people."""
    contact: Annotated[str, Field(max_length=200)] | None = None
    """Where to write to, if the participant wants that public."""
    description: Text | None = None
    """Who this is."""
    keys: Annotated[tuple[Key, ...], Field(min_length=1, max_length=50)]
    """Signing keys, revoked ones included."""
    forge_identities: Annotated[tuple[ForgeIdentity, ...], Field(max_length=20)] = ()
    """Accounts on forges that act for the participant."""
    encryption: Annotated[
        tuple[Annotated[str, Field(pattern=r"^age1[0-9a-z]{20,100}$")], ...], Field(max_length=20)
    ] = ()
    """age recipients that files for this participant are encrypted to."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [key.name for key in self.keys]
        if len(set(names)) != len(names):
            raise ValueError("keys: one name stands twice")
        publics = [key.public_key for key in self.keys]
        if len(set(publics)) != len(publics):
            raise ValueError("keys: one public key stands twice")
        if not any(key.status == "active" for key in self.keys):
            raise ValueError("keys: at least one must be active")
        return self

    @property
    def active_keys(self) -> tuple[Key, ...]:
        """The keys that may sign now."""
        return tuple(key for key in self.keys if key.status == "active")
