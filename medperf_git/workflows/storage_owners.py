"""Which records the artefacts in the cache belong to, in all registries of this client.

Example::

    owners = owners_of(home)
    owners.names(digest), owners.again(digest)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from medperf_git.errors import MpgitError
from medperf_git.records.artefact import Artefact
from medperf_git.records.base import Record
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.container import ReferenceImage
from medperf_git.store.home import Home
from medperf_git.store.site_rules import load_site_rules
from medperf_git.workflows.session import Session

_KINDS: Final = ("mlcube", "model", "benchmark", "dataset")
_NAMED: Final = 3


@dataclass
class Owners:
    """Records and sources by digest.

    Attributes:
        records: ids of the records that pin an artefact.
        sources: where it can be had again, in a word.
        ids: ids of records by the digest of their file.
    """

    records: dict[str, list[str]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def names(self, digest: str) -> str:
        """The records that need an artefact, for people."""
        found = sorted(set(self.records.get(digest, ())))
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        return ", ".join(found[:_NAMED]) + more or "nothing registered"

    def again(self, digest: str) -> str | None:
        """How an artefact can be had again; None where its records name no place that is there."""
        if digest not in self.records:
            return "not needed"
        return self.sources.get(digest)


def owners_of(home: Home) -> Owners:
    """The artefacts of every registry that can be read."""
    owners, folders = Owners(), list[Path]()
    with suppress(MpgitError):
        folders = [Path(name) for name in load_site_rules(home.site_file).artefacts]
    for entry in home.configuration().registries:
        with suppress(MpgitError), Session.open(home, entry.name) as session:
            snapshot = session.snapshot()
            for place in (place for kind in _KINDS for place in snapshot.places(kind)):
                loaded = snapshot.load(place)
                owners.ids[loaded.sha256] = place.id
                _note_record(owners, loaded.record, folders)
    return owners


def artefacts_of(record: Record) -> Iterator[Artefact]:
    """Everything that a record pins outside the registry."""
    if isinstance(record, Benchmark):
        yield record.demo_data
    image = getattr(record, "image", None)
    if isinstance(image, Artefact):
        yield image
    yield from getattr(record, "additional_files", ())


def _note_record(owners: Owners, record: Record, folders: list[Path]) -> None:
    for artefact in artefacts_of(record):
        _note(owners, record.record_id, artefact, folders)
    image = getattr(record, "image", None)
    if isinstance(image, ReferenceImage):
        owners.records.setdefault(image.digest, []).append(record.record_id)
        owners.sources[image.digest] = "by pulling it"


def _note(owners: Owners, name: str, artefact: Artefact, folders: list[Path]) -> None:
    owners.records.setdefault(artefact.sha256, []).append(name)
    path = artefact.path
    if path is not None and any((folder / path).exists() for folder in folders):
        owners.sources[artefact.sha256] = "from an artefact folder"
    elif artefact.urls:
        owners.sources.setdefault(artefact.sha256, "from its address")
