"""A registry at one moment: typed records, what stands, and who may sign.

Reads only what is asked for, through a ``Tree``. Decides nothing about right or wrong: a
record that can't be read raises, and ``checks`` turns that into findings.

Example:
    >>> from medperf_git.store.tree import MemoryTree
    >>> Snapshot(MemoryTree({})).exists
    False
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, TypeAlias, TypeVar

from medperf_git.canonical import document
from medperf_git.canonical.digest import sha256_hex
from medperf_git.errors import CanonicalError, MpgitError, RegistryError
from medperf_git.git.objects import EMPTY_TREE, FILE_MODE, TreeEntry
from medperf_git.memory import Memory
from medperf_git.records.base import Pin, Record
from medperf_git.records.benchmark import Benchmark, Committee
from medperf_git.records.codec import decode
from medperf_git.records.namespace import namespace
from medperf_git.records.participant import Participant
from medperf_git.records.policy import Policy
from medperf_git.records.root import Root
from medperf_git.store import tree as trees
from medperf_git.store.paths import (
    GENESIS,
    REGISTRY,
    Place,
    SignaturePlace,
    folder_of,
    kind_folder,
    locate,
)
from medperf_git.store.tree import GitTree, Tree
from medperf_git.vcs import Repository

RecordT = TypeVar("RecordT", bound=Record)
KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")

# Records are immutable and named by their bytes: one cache serves every snapshot. Large ones
# are left out: four thousand of them would fill the memory.
_CACHED_BYTES = 16 * 1024
_decode_cached = lru_cache(maxsize=512)(decode)


def _decode(payload: bytes, kind: str, depth: int) -> Record:
    read = _decode_cached if len(payload) <= _CACHED_BYTES else decode
    return read(payload, kind, depth=depth)


@dataclass(frozen=True)
class Loaded:
    """A record together with where it stands and its exact bytes."""

    place: Place
    payload: bytes
    record: Record

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes."""
        return sha256_hex(self.payload)

    @property
    def pin(self) -> Pin:
        """The reference that names exactly this file."""
        return Pin(id=self.place.id, revision=self.place.revision, sha256=self.sha256)


Loads: TypeAlias = Memory[Loaded]
"""Records that snapshots of one repository share: by path and Git's id, which names the bytes."""
_LOADS: Final = 1024
"""How many of them."""


def loads() -> Loads:
    """A memory that several snapshots of one repository may share."""
    return Memory(_LOADS)


def _note(notes: dict[KeyT, ValueT], key: KeyT, value: ValueT) -> ValueT:
    """Notes what was found in a tree, which never changes; and forgets all when it is too much."""
    if len(notes) >= _LOADS:
        notes.clear()
    notes[key] = value
    return value


@lru_cache(maxsize=4096)
def _revisions(folder: str, names: tuple[str, ...]) -> tuple[Place, ...]:
    """The records in a folder with these files, oldest first, withdrawals left out."""
    places = (locate(f"{folder}/{name}") for name in names)
    found = [place for place in places if isinstance(place, Place) and not place.withdrawn]
    return tuple(sorted(found))


class Snapshot:
    """Typed access to the registry in a tree."""

    def __init__(self, tree: Tree, commit: str | None = None, known: Loads | None = None) -> None:
        """Reads nothing yet.

        Args:
            tree: what to read.
            commit: the commit whose tree it is, if it is one's.
            known: what snapshots of the same repository have read.
        """
        self.tree = tree
        self.commit = commit
        self._known = loads() if known is None else known
        self._resolved: dict[tuple[str, str, int, str], Loaded] = {}
        self._standing: dict[tuple[str, str], Place | None] = {}
        self._people: dict[str, Participant | None] = {}

    # --- identity ------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether there is a registry in the tree."""
        return self._is_file(GENESIS)

    def _is_file(self, path: str) -> bool:
        entry = trees.find(self.tree, path)
        return entry is not None and entry.mode == FILE_MODE

    @property
    def identity(self) -> str:
        """SHA-256 of the genesis file: the registry's identity.

        Raises:
            RegistryError: the tree holds no registry.
            CanonicalError: its genesis is larger than a record can be.
        """
        genesis = self.payload(GENESIS)
        if genesis is None:
            raise RegistryError(
                f"not a registry: {GENESIS} is missing",
                code="no-registry",
                advice="check the address; `mpgit registry init` makes a new registry",
            )
        return sha256_hex(genesis)

    def namespace(self, place: Place) -> str:
        """The namespace that signatures of the record at `place` must carry."""
        return namespace(place.record_kind, self.identity, revision=place.revision)

    # --- one record ----------------------------------------------------------------------

    def payload(self, path: str, most: int = document.MAX_BYTES) -> bytes | None:
        """The bytes of a plain file, or None where there is none.

        Raises:
            CanonicalError: it is larger than `most` bytes.
        """
        entry = trees.find(self.tree, path)
        return None if entry is None or entry.mode != FILE_MODE else self._bytes(path, entry, most)

    def _bytes(self, path: str, entry: TreeEntry, most: int = document.MAX_BYTES) -> bytes:
        size = self.tree.size(entry)
        if size > most:
            raise CanonicalError(f"{size} bytes; at most {most}", code="too-large", place=path)
        return self.tree.blob(entry)

    def load(self, place: Place) -> Loaded:
        """The record at a place.

        Raises:
            RegistryError: there is none.
            CanonicalError, RecordError: it can't be read; `place` names the file.
        """
        path = place.path
        entry = trees.find(self.tree, path)
        if entry is None or entry.mode != FILE_MODE:
            raise RegistryError(f"no such record: {path}", code="no-record", place=path)
        name = f"{entry.oid} {path}"
        known = self._known.get(name)
        if known is not None:
            return known
        payload = self._bytes(path, entry)
        try:
            record = _decode(payload, place.record_kind, place.depth)
        except MpgitError as error:
            error.place = f"{path}: {error.place}" if error.place else path
            raise
        loaded = Loaded(place, payload, record)
        if len(payload) <= _CACHED_BYTES:
            self._known.put(name, loaded, 1)
        return loaded

    def has(self, place: Place) -> bool:
        """Whether there is a file at the place."""
        return self._is_file(place.path)

    def resolve(self, kind: str, pin: Pin) -> Loaded:
        """The record that a pin names.

        Raises:
            RegistryError: it is missing, or its bytes have another digest.
            CanonicalError, RecordError: it can't be read.
        """
        name = (kind, pin.id, pin.revision, pin.sha256)
        known = self._resolved.get(name)
        if known is not None:
            return known
        loaded = self.load(Place(kind, pin.id, pin.revision))
        if loaded.sha256 != pin.sha256:
            raise RegistryError(
                f"{loaded.place.path} has the digest {loaded.sha256[:16]}…, "
                f"but {pin.sha256[:16]}… is pinned",
                code="pin-digest",
                place=loaded.place.path,
            )
        return _note(self._resolved, name, loaded)

    # --- revisions -----------------------------------------------------------------------

    def revisions(self, kind: str, record_id: str) -> list[Place]:
        """Every revision of a record, oldest first, withdrawn ones included."""
        folder = folder_of(kind, record_id)
        entries = self.tree.entries(folder).values()
        return list(_revisions(folder, tuple(e.name for e in entries if e.mode == FILE_MODE)))

    def _located(self, folder: str) -> Iterator[Place | SignaturePlace | None]:
        """What the plain files of a folder are for."""
        for name, entry in self.tree.entries(folder).items():
            if entry.mode == FILE_MODE:
                yield locate(f"{folder}/{name}")

    def is_withdrawn(self, place: Place) -> bool:
        """Whether a withdrawal stands beside the record."""
        return self.has(place.withdrawal)

    def newest(self, kind: str, record_id: str) -> Place | None:
        """The newest revision, withdrawn or not."""
        places = self.revisions(kind, record_id)
        return places[-1] if places else None

    def standing(self, kind: str, record_id: str) -> Place | None:
        """The newest revision that is not withdrawn."""
        name = (kind, record_id)
        if name in self._standing:
            return self._standing[name]
        newest_first = reversed(self.revisions(kind, record_id))
        found = next((p for p in newest_first if not self.is_withdrawn(p)), None)
        return _note(self._standing, name, found)

    def stands(self, place: Place) -> bool:
        """Whether this very revision is the one that stands."""
        return self.standing(place.kind, place.id) == place

    # --- what authority asks (``trust.authority.View``) -----------------------------------

    def _typed(self, place: Place | None, model: type[RecordT]) -> RecordT | None:
        if place is None:
            return None
        record = self.load(place).record
        return record if isinstance(record, model) else None

    def root(self) -> Root | None:
        """The newest root."""
        return self._root

    @cached_property
    def _root(self) -> Root | None:
        return self._typed(self.newest("root", "root"), Root)

    def participant(self, participant: str) -> Participant | None:
        """A participant's newest record; None once that is withdrawn.

        An older revision never stands again: it would revive revoked keys.
        """
        if participant in self._people:
            return self._people[participant]
        place = self.newest("participant", participant)
        if place is None or self.is_withdrawn(place):
            return _note(self._people, participant, None)
        return _note(self._people, participant, self._typed(place, Participant))

    def benchmark(self, benchmark: str) -> Benchmark | None:
        """The standing benchmark."""
        return self._typed(self.standing("benchmark", benchmark), Benchmark)

    def committee(self, benchmark: str) -> Committee | None:
        """Who decides about a benchmark: its newest revision's committee, even if withdrawn.

        An older committee never comes back: a withdrawal by the owner alone would undo what
        the committee decided about itself.
        """
        newest = self._typed(self.newest("benchmark", benchmark), Benchmark)
        return newest.committee if newest else None

    def policy(self, benchmark: str) -> Policy | None:
        """The benchmark's standing policy."""
        return self._typed(self.standing("policy", benchmark), Policy)

    def withdrawers(self, kind: str, record_id: str) -> frozenset[str]:
        """Who signed the withdrawal of a record's newest revision; nobody if it is in use."""
        newest = self.newest(kind, record_id)
        if newest is None or not self.is_withdrawn(newest):
            return frozenset()
        return frozenset(signature.signer for signature in self.signatures(newest.withdrawal))

    # --- listing -------------------------------------------------------------------------

    def places(self, kind: str, below: str | None = None) -> Iterator[Place]:
        """Every record of a kind by path, withdrawals left out.

        Args:
            kind: the kind.
            below: look only below this folder.
        """
        for path, _ in trees.walk(self.tree, below or kind_folder(kind)):
            place = locate(path)
            if isinstance(place, Place) and place.kind == kind and not place.withdrawn:
                yield place

    def standing_places(self, kind: str, below: str | None = None) -> Iterator[Place]:
        """The standing revision of every record of a kind, by id.

        Args:
            kind: the kind.
            below: look only below this folder.
        """
        ids = set()
        for path, _ in trees.walk(self.tree, below or kind_folder(kind)):
            place = locate(path)
            if isinstance(place, Place) and place.kind == kind:
                ids.add(place.id)
        for record_id in sorted(ids):
            place = self.standing(kind, record_id)
            if place is not None:
                yield place

    def everything(self) -> Iterator[tuple[str, Place | SignaturePlace | None]]:
        """Every path under ``registry/`` with what it is for."""
        for path, _ in trees.walk(self.tree, REGISTRY):
            yield path, locate(path)

    def signatures(self, place: Place) -> list[SignaturePlace]:
        """The signatures beside a record."""
        found = self._located(place.folder)
        mine = (s for s in found if isinstance(s, SignaturePlace) and s.record == place)
        return sorted(mine, key=lambda signature: signature.path)


def snapshot_at(repository: Repository, commit: str | None, known: Loads | None = None) -> Snapshot:
    """The registry at a commit; an empty one for None.

    Args:
        repository: holds the commit.
        commit: its id.
        known: what snapshots of this repository have read.

    Raises:
        GitError: there is no such commit.
    """
    tree = EMPTY_TREE if commit is None else repository.commit(commit).tree
    return Snapshot(GitTree(repository, tree), commit, known)
