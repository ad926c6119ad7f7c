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

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from medperf_git.errors import CanonicalError, GitError, MpgitError, RegistryError, TrustError
from medperf_git.git.objects import FILE_MODE, TreeEntry
from medperf_git.records.base import Record
from medperf_git.records.benchmark import Committee
from medperf_git.records.participant import Participant
from medperf_git.records.policy import Policy
from medperf_git.records.root import Root
from medperf_git.store.paths import REGISTRY, Place, SignaturePlace, locate
from medperf_git.store.snapshot import Loaded, Snapshot
from medperf_git.store.tree import Change, Tree, difference
from medperf_git.trust import sshsig
from medperf_git.trust.authority import Demand, View, demand

MAX_SIDECARS = 200
"""More signatures beside one record are refused unread."""
_GENESIS_ROOT = Place("root", "root", 1)


class HeadError(RegistryError):
    """The proposed tree can't be read: its fault, unlike a base that can't be."""


class _HeadTree:
    """The head's tree, whose faults are told from the base's."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.blob = tree.blob
        self.size = tree.size

    def entries(self, folder: str) -> Mapping[str, TreeEntry]:
        """The entries of a folder by name.

        Raises:
            HeadError: they can't be read.
        """
        try:
            return self._tree.entries(folder)
        except MpgitError as error:
            raise HeadError(error.message, place=folder or error.place) from error


@dataclass(frozen=True)
class _GenesisView:
    """Whom a genesis itself gives authority to: root 1 and first registrations, no more."""

    added: Mapping[Place, Loaded]

    def root(self) -> Root | None:
        """Root 1."""
        loaded = self.added.get(_GENESIS_ROOT)
        return loaded.record if loaded and isinstance(loaded.record, Root) else None

    def participant(self, participant: str, /) -> Participant | None:
        """A first registration."""
        loaded = self.added.get(Place("participant", participant, 1))
        return loaded.record if loaded and isinstance(loaded.record, Participant) else None

    def committee(self, benchmark: str, /) -> Committee | None:
        """None: a genesis has no benchmarks."""
        del benchmark
        return None

    def policy(self, benchmark: str, /) -> Policy | None:
        """None: a genesis has no policies."""
        del benchmark
        return None

    def withdrawers(self, kind: str, record_id: str, /) -> frozenset[str]:
        """Nobody: a genesis withdraws nothing."""
        del kind, record_id
        return frozenset()


@dataclass
class Transition:
    """Base and head, with their difference sorted into what rules ask for."""

    base: Snapshot
    head: Snapshot
    blocked: set[Place] = field(default_factory=set)
    """Records that a rule has already refused: later rules leave them alone."""
    _parsed: dict[SignaturePlace, sshsig.Signature] = field(default_factory=dict)
    _demands: dict[Place, Demand] = field(default_factory=dict)

    @cached_property
    def _compared(self) -> tuple[tuple[Change, ...], HeadError | None]:
        try:
            return tuple(difference(self.base.tree, _HeadTree(self.head.tree))), None
        except HeadError as error:
            return (), error
        except RegistryError as error:  # too large, too deep: of what is proposed
            return (), HeadError(error.message, place=error.place)

    @property
    def unreadable_tree(self) -> HeadError | None:
        """Why the head's tree can't be read at all; nothing else is judged then."""
        return self._compared[1]

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every path that differs."""
        return self._compared[0]

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
        return not self.base.exists and self.unreadable_tree is None and self.head.exists

    @cached_property
    def view(self) -> View:
        """Where keys and authority are read from: the base; for the genesis, itself."""
        return _GenesisView(self.added) if self.is_genesis else self.base

    def demand(self, place: Place, record: Record) -> Demand:
        """Which signatures make the added record at a place complete."""
        known = self._demands.get(place)
        if known is None:
            known = self._demands[place] = demand(record, self.view)
        return known

    def namespace(self, place: Place) -> str:
        """The namespace that signatures of a record must carry.

        Raises:
            RegistryError: there is no registry, neither before nor after.
        """
        return (self.base if self.base.exists else self.head).namespace(place)

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
            except MpgitError as error:
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

    def signature(self, place: SignaturePlace) -> sshsig.Signature:
        """The parsed signature at a place; nothing is verified yet.

        Raises:
            CanonicalError: too large to be one.
            TrustError: not a signature, or its object is missing or damaged.
        """
        known = self._parsed.get(place)
        if known is None:
            try:
                payload = self.head.payload(place.path, most=sshsig.MAX_BYTES) or b""
            except GitError as error:
                raise TrustError(error.message) from error
            known = self._parsed[place] = sshsig.Signature.parse(payload)
        return known

    def sound(self, record: Place) -> Iterator[tuple[SignaturePlace, sshsig.Signature]]:
        """The signatures beside a record that can be read; `SignatureFormat` reports the others."""
        for place in self.signatures.get(record, []):
            with suppress(TrustError, CanonicalError):
                yield place, self.signature(place)


def _is_new_file(change: Change) -> bool:
    return change.old is None and change.new is not None and change.new.mode == FILE_MODE
