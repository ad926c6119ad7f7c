"""A transition: what a request would change, read once and shared by all rules.

Holds the added records (those that could be decoded, and for the others why not) and the
signatures beside them. Judges nothing.

Example:
    >>> from medperf_git.store.snapshot import Snapshot
    >>> from medperf_git.store.tree import MemoryTree
    >>> Transition(Snapshot(MemoryTree({})), Snapshot(MemoryTree({}))).added
    {}
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from medperf_git.errors import CanonicalError, MpgitError, RecordError
from medperf_git.records.base import Record
from medperf_git.store.paths import REGISTRY, Place, SignaturePlace, locate
from medperf_git.store.snapshot import Loaded, Snapshot
from medperf_git.store.tree import Change, difference
from medperf_git.trust import sshsig
from medperf_git.vcs import FILE_MODE

MAX_SIDECARS = 200
"""More signatures beside one record are refused unread."""


@dataclass
class Transition:
    """Base and head, with their difference sorted into what rules ask for."""

    base: Snapshot
    head: Snapshot
    blocked: set[Place] = field(default_factory=set)
    """Records that a rule has already refused: later rules leave them alone."""

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Every path that differs."""
        return tuple(difference(self.base.tree, self.head.tree))

    @cached_property
    def registry_changes(self) -> tuple[Change, ...]:
        """What differs under ``registry/``."""
        return tuple(c for c in self.changes if c.path.split("/")[0] == REGISTRY)

    @cached_property
    def control_changes(self) -> tuple[Change, ...]:
        """What differs outside ``registry/``: control plane."""
        return tuple(c for c in self.changes if c.path.split("/")[0] != REGISTRY)

    @cached_property
    def is_genesis(self) -> bool:
        """Whether the registry begins here."""
        return not self.base.exists and self.head.exists

    @cached_property
    def _read(self) -> tuple[dict[Place, Loaded], dict[Place, MpgitError]]:
        added: dict[Place, Loaded] = {}
        unreadable: dict[Place, MpgitError] = {}
        for change in self.registry_changes:
            place = locate(change.path)
            if not isinstance(place, Place) or not _is_new_file(change):
                continue
            try:
                added[place] = self.head.load(place)
            except (CanonicalError, RecordError) as error:
                unreadable[place] = error
        return added, unreadable

    @property
    def added(self) -> dict[Place, Loaded]:
        """Every added record that could be read, by place."""
        return self._read[0]

    @property
    def unreadable(self) -> dict[Place, MpgitError]:
        """Every added record that could not, with the reason."""
        return self._read[1]

    def judged(self) -> list[tuple[Place, Record]]:
        """The added records that no rule has refused yet."""
        return [
            (place, loaded.record)
            for place, loaded in self.added.items()
            if place not in self.blocked
        ]

    @cached_property
    def signatures(self) -> dict[Place, list[SignaturePlace]]:
        """The added signatures by the record that they stand beside."""
        found: dict[Place, list[SignaturePlace]] = {}
        for change in self.registry_changes:
            place = locate(change.path)
            if isinstance(place, SignaturePlace) and _is_new_file(change):
                found.setdefault(place.record, []).append(place)
        return found

    def signature_bytes(self, place: SignaturePlace) -> bytes:
        """A signature's bytes.

        Raises:
            CanonicalError: too large to be one.
        """
        return self.head.payload(place.path, most=sshsig.MAX_BYTES) or b""


def _is_new_file(change: Change) -> bool:
    return change.old is None and change.new is not None and change.new.mode == FILE_MODE
