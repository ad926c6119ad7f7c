"""What all records share: the model configuration, ids, pins and numbers.

Each field carries a description, in the docstring below it: ``tools/record_schema.py`` makes the
JSON Schemas and the record reference from them. No record knows its path or its signatures.

Example:
    >>> Pin(id="ky/opt", revision=1, sha256="0" * 64).id
    'ky/opt'
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from medperf_git.canonical.scalars import MAX_INTEGER

SLUG: Final = r"[a-z0-9]+(?:-[a-z0-9]+)*"
MAX_SLUG: Final = 64
RESERVED_IDS: Final = frozenset({"withdrawn", "policy", "models", "datasets"})
"""File names of the tree: an id with one of these names would make two paths one."""


def _not_reserved(text: str) -> str:
    for part in text.split("/"):
        if part in RESERVED_IDS:
            raise ValueError(f"the id {part!r} is reserved for file names")
        if len(part) > MAX_SLUG:
            raise ValueError(f"the id {part[:20]!r}… has more than {MAX_SLUG} characters")
    return text


def _ids(parts: int) -> Any:
    return Annotated[
        str,
        Field(
            pattern="^" + "/".join([SLUG] * parts) + "$",
            max_length=(MAX_SLUG + 1) * parts - 1,
        ),
        AfterValidator(_not_reserved),
    ]


Slug: TypeAlias = _ids(1)  # type: ignore[valid-type]  # built once, used as a type
OwnedId: TypeAlias = _ids(2)  # type: ignore[valid-type]
AssociationId: TypeAlias = _ids(4)  # type: ignore[valid-type]
ResultId: TypeAlias = _ids(6)  # type: ignore[valid-type]

AnyId: TypeAlias = Annotated[
    str,
    Field(pattern=f"^{SLUG}(?:/{SLUG}){{0,5}}$", max_length=(MAX_SLUG + 1) * 6 - 1),
    AfterValidator(_not_reserved),
]

Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Revision: TypeAlias = Annotated[int, Field(ge=1, le=999_999)]
Count: TypeAlias = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Name: TypeAlias = Annotated[
    str,
    Field(
        # One line: no control characters, no bidirectional overrides.
        pattern=r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+$",
        min_length=1,
        max_length=120,
    ),
]
Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=8000)]
Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
MetricId: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
DottedPath: TypeAlias = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$", max_length=200)
]
"""Keys of a nested mapping, outermost first, joined by dots."""


class Part(BaseModel):
    """Base of every mapping inside a record: frozen, closed, without coercion."""

    # Built at first use: no command needs all kinds, and to build them all takes longer than to
    # start Python.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Pin(Part):
    """A reference that names exactly one revision, by the digest of its file's bytes."""

    id: AnyId
    """The id of the record referred to."""
    revision: Revision
    """Its revision."""
    sha256: Sha256
    """SHA-256 of the referenced file's exact bytes."""


def _parts(count: int) -> AfterValidator:
    """A pin's id must have this many parts: with another number it would name another kind."""

    def check(pin: Pin) -> Pin:
        if pin.id.count("/") + 1 != count:
            raise ValueError(f"id: {pin.id} has not {count} part(s)")
        return pin

    return AfterValidator(check)


ParticipantPin: TypeAlias = Annotated[Pin, _parts(1)]
OwnedPin: TypeAlias = Annotated[Pin, _parts(2)]
AssociationPin: TypeAlias = Annotated[Pin, _parts(4)]


@dataclass(frozen=True, slots=True)
class Reference:
    """A pin together with the kind that it must have and the field that it stands in."""

    field: str
    kind: str
    pin: Pin


class Record(Part):
    """Base of every record: the id and revision that its path repeats."""

    @property
    def record_id(self) -> str:
        """The id, whatever its shape for this kind."""
        identity: str = getattr(self, "id")  # noqa: B009 (each kind declares its own id type)
        return identity

    @property
    def owner(self) -> str:
        """The participant that the record belongs to: the id's first part."""
        return self.record_id.split("/")[0]

    def references(self) -> Iterator[Reference]:
        """Every pin in the record, with the kind that it must have."""
        return iter(())
