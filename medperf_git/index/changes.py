"""What landed on main, record by record: each with its signatures and the commit it came with.

Turns what git says of a history (`stream.Landing`) into the index's work. Reads no bytes of
records.

Example:
    >>> from medperf_git.git.stream import Landed, Landing
    >>> added = [Landed(f"registry/datasets/ky/opt/1.{end}", "100644", "0" * 40, True)
    ...     for end in ("ky.sig", "yaml")]
    >>> [(x.path, len(x.signatures)) for x in incoming(Landing("c" * 40, 7, "", added), 1)]
    [('registry/datasets/ky/opt/1.yaml', 1)]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from medperf_git.errors import RegistryError
from medperf_git.git.objects import FILE_MODE
from medperf_git.git.stream import Landing
from medperf_git.store.paths import REGISTRY, Place, locate

_PLAIN: Final = f"{FILE_MODE:06o}"
_BELOW: Final = REGISTRY + "/"


class Signed(NamedTuple):
    """A signature's file: who signed, the further key whose possession it proves, its blob."""

    signer: str
    key: str | None
    blob: str


class Incoming(NamedTuple):
    """A record that a commit added; or signatures that came after their record.

    Attributes:
        path: the record's path.
        blob: the record's blob; "" where it came with an earlier commit.
        commit: the commit that added it.
        position: the commit's place in the history, from 0.
        time: the commit's time, in seconds since 1970.
        signatures: those that came with the commit.
    """

    path: str
    blob: str
    commit: str
    position: int
    time: int
    signatures: tuple[Signed, ...]


def incoming(landing: Landing, position: int) -> Iterator[Incoming]:
    """The records and signatures that a commit added, by record.

    Raises:
        RegistryError: it changed or removed what was there, which no accepted history does.
    """
    records: dict[Place, str] = {}
    signatures: dict[Place, list[Signed]] = {}
    for change in landing.changes:
        if not change.path.startswith(_BELOW):
            continue
        if not change.added:
            raise RegistryError(
                "a record was changed or removed, which no accepted history does",
                code="bad-history",
                place=f"commit {landing.commit[:12]}, {change.path}",
                advice="mpgit audit --full",
            )
        place = locate(change.path) if change.mode == _PLAIN else None
        if isinstance(place, Place):
            records[place] = change.oid
        elif place is not None:
            signed = Signed(place.signer, place.key, change.oid)
            signatures.setdefault(place.record, []).append(signed)
    for place in records.keys() | signatures.keys():
        yield Incoming(
            place.path,
            records.get(place, ""),
            landing.commit,
            position,
            landing.time,
            tuple(signatures.get(place, ())),
        )
