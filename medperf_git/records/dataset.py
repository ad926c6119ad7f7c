"""The dataset record: what may be known of data that stays at its owner's site.

Only a fingerprint, counts and declared statistics: no rows, no file names, no free text per
case. How fingerprints are computed is in ``canonical.digest``.

Example:
    >>> numbers_only({"age": {"mean": 27.5}, "cases": 211}, "statistics")
    {'age': {'mean': 27.5}, 'cases': 211}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from medperf_git.records.artefact import Size
from medperf_git.records.base import (
    Name,
    OwnedId,
    OwnedPin,
    Part,
    Record,
    Reference,
    Revision,
    Sha256,
    Text,
)

MAX_STATISTICS: Final = 500
MAX_NESTING: Final = 5
NESTED_NUMBERS: Final[dict[str, Any]] = {
    "additionalProperties": {
        "description": "A number, or a mapping of numbers.",
        "type": ["number", "object"],
    },
    "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"},
}
"""The outermost level in JSON Schema; `numbers_only` judges every level."""
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


def numbers_only(data: Any, place: str, depth: int = 1) -> dict[str, Any]:
    """`data` itself if it is a nested mapping of short keys to numbers.

    Raises:
        ValueError: names the dotted path of what is no number.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{place}: expected a mapping of numbers")  # noqa: TRY004 (pydantic reads ValueError)
    if depth > MAX_NESTING or len(data) > MAX_STATISTICS:
        raise ValueError(f"{place}: more than {MAX_NESTING} levels or {MAX_STATISTICS} entries")
    for key, value in data.items():
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise ValueError(f"{place}: the key {str(key)[:40]!r} is not a short name")
        if isinstance(value, dict):
            numbers_only(value, f"{place}.{key}", depth + 1)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(  # noqa: TRY004 (pydantic reads ValueError)
                f"{place}.{key}: {type(value).__name__} where a number belongs"
            )
    return data


Statistics = Annotated[
    dict[str, Any],
    BeforeValidator(lambda data: numbers_only(data, "statistics")),
    Field(json_schema_extra=NESTED_NUMBERS),
]


class Fingerprint(Part):
    """Digests of the prepared data and labels."""

    data: Sha256
    """Fingerprint of the prepared data's files."""
    labels: Sha256
    """Fingerprint of the prepared labels' files."""
    files: Annotated[int, Field(ge=1)]
    """Number of files, both together."""
    size: Size
    """Bytes, both together."""


class Dataset(Record):
    """A prepared dataset at its owner's site."""

    kind: Literal["dataset"]
    """Always `dataset`."""
    id: OwnedId
    """`owner/name`."""
    revision: Revision
    """The revision."""
    name: Name
    """The name, for people."""
    description: Text | None = None
    """Where and when the data was gathered, and from whom."""
    preparation: OwnedPin
    """The data-preparation MLCube that prepared it."""
    fingerprint: Fingerprint
    """What the prepared files were."""
    cases: Annotated[int, Field(ge=1)]
    """How many cases it has."""
    statistics: Statistics
    """What the preparation MLCube's `statistics` task said: numbers only."""

    def references(self) -> Iterator[Reference]:
        """The MLCube that prepared it."""
        yield Reference("preparation", "mlcube", self.preparation)
