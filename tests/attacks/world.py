"""What the attacks are written in: a registry, a request to it, and hands that obey no rule.

A `World` is the simulator's registry (``tests.support.simulator``: everybody's keys, a record of
every kind, `merge` that takes only what is complete) in a real bare Git repository. An attack
changes what is proposed, or what stands on main; ``run`` then drives the command line.

Example::

    def attack(world):
        world.propose(world.result(), by=["ms"])      # ky's result, signed by another hospital
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from medperf_git.records.base import Record
from medperf_git.records.codec import dump
from medperf_git.store.paths import Place
from medperf_git.store.tree import MemoryTree
from tests.attacks import sshsig
from tests.attacks.objects import Content, Objects
from tests.support.simulator import (
    Files,
    Simulator,
    full_registry,
    place_of,
    private_key,
    spell,
)

FILE: Final = 0o100644
EXECUTABLE: Final = 0o100755
LINK: Final = 0o120000
SUBMODULE: Final = 0o160000
FOLDER: Final = 0o040000
NOWHERE: Final = "ab" * 20
"""The id of an object that is not there."""


class World(Simulator):
    """A registry in Git, and whatever an attacker makes of it.

    Attributes:
        git: the repository.
        main: main's newest commit.
        request: what is proposed: mode and content by path, the base's files included.
        keeps_history: whether main's whole history is written, or only what stands.
    """

    def __init__(self, path: Path, start: Simulator | None = None, *, history: bool) -> None:
        start = start or full_registry()
        super().__init__(start.tree)
        self.git = Objects(path)
        self.keeps_history = history
        self.main = ""
        self.request: dict[str, tuple[int, Content]] = {}
        self._start(start)

    def _start(self, other: Simulator) -> None:
        self.tree, self.history, self.main = other.tree, list(other.history), ""
        for tree in self.history if self.keeps_history else self.history[-1:]:
            self._advance(tree)
        self.request = dict(self.tree.files)

    def _advance(self, tree: MemoryTree, *others: str) -> None:
        parents = [self.main] if self.main else []
        oid = self.git.tree(tree.files)
        self.main = self.git.commit(oid, [*parents, *others], "Main moves on")

    def begin(self, other: Simulator) -> None:
        """Begins anew from another registry, or from nothing: `Simulator()`."""
        self._start(other)

    # --- main, honestly -------------------------------------------------------------------

    def merge(self, files: Mapping[str, bytes]) -> None:
        """Main takes a request that is complete."""
        super().merge(files)
        self._advance(self.tree)
        self.request = dict(self.tree.files)

    # --- a request ------------------------------------------------------------------------

    def propose(self, record: Record, by: Iterable[str] = (), proofs: Iterable[str] = ()) -> None:
        """Adds a record with its signatures (see `Simulator.sign`) to the request."""
        self.put(self.sign(record, by, proofs))

    def propose_bytes(self, place: Place, payload: bytes, by: Iterable[str] = ()) -> None:
        """Adds bytes that may be no record, honestly signed."""
        self.put(self.sign_bytes(place, payload, by))

    def propose_fields(self, record: Record, changes: Mapping[str, Any], by: Iterable[str]) -> None:
        """Adds a record with fields that no model would hold, canonical and honestly signed.

        Args:
            record: any record.
            changes: new values by dotted field; None takes the field away.
            by: who signs.
        """
        data = dump(record)
        for dotted, value in changes.items():
            *parents, last = [int(part) if part.isdigit() else part for part in dotted.split(".")]
            node: Any = data
            for parent in parents:
                node = node[parent]
            if value is None:
                del node[last]
            else:
                node[last] = value
        place = place_of(record)
        self.propose_bytes(place, spell(place, data), by)

    def propose_respelled(
        self, record: Record, old: str, new: str | bytes, by: Iterable[str]
    ) -> None:
        """Adds a record in which one piece of text was replaced, honestly signed."""
        place = place_of(record)
        payload = self.sign(record)[place.path]
        assert old.encode() in payload, payload.decode()
        changed = payload.replace(old.encode(), new.encode() if isinstance(new, str) else new)
        self.propose_bytes(place, changed, by)

    def respell(self, old: str, new: str | bytes) -> None:
        """Adds ky's new dataset with one piece of its text replaced, honestly signed by ky."""
        self.propose_respelled(self.dataset("ky/other"), old, new, by=["ky"])

    def propose_forged(self, record: Record, made_by: Mapping[str, str]) -> None:
        """Adds a record with signatures that others made.

        Args:
            record: any record.
            made_by: whose key made it (`ms`, `ky:second`) by whose it is said to be (`ky`;
                `ky.second` for the proof of a key).
        """
        place = place_of(record)
        files = self.sign(record)
        for said, maker in made_by.items():
            signer, _, proof = said.partition(".")
            person, _, key = maker.partition(":")
            signature = self.signature(place, files[place.path], person, key)
            files[place.signature(signer, proof or None)] = signature
        self.put(files)

    def propose_with(self, record: Record, signatures: Mapping[str, bytes]) -> None:
        """Adds a record with these bytes as the signatures of these people."""
        place = place_of(record)
        beside = {place.signature(who): payload for who, payload in signatures.items()}
        self.put(self.sign(record) | beside)

    def propose_signed(self, record: Record, who: str, **faults: Any) -> None:
        """Adds a record with a signature in which a field is wrong (see `sshsig.signed`)."""
        place = place_of(record)
        payload = self.sign(record)[place.path]
        space = self.snapshot.namespace(place)
        self.propose_with(record, {who: sshsig.signed(payload, space, private_key(who), **faults)})

    def replay(self, old: Place, new: Place, *signers: str) -> None:
        """Adds the very bytes of a record that stands on main, and its signatures, elsewhere."""
        files = {new.path: self.read(old.path)}
        files |= {new.signature(who): self.read(old.signature(who)) for who in signers}
        self.put(files)

    def put(self, files: Files, mode: int = FILE) -> None:
        """Adds or replaces files of the request."""
        self.request |= {path: (mode, payload) for path, payload in files.items()}

    def put_object(self, path: str, mode: int, oid: str) -> None:
        """Adds an object by its id, which may be missing or of another type."""
        self.request[path] = (mode, oid)

    def remove(self, path: str) -> bytes:
        """Takes a file, or all below a folder, out of the request; returns the file's bytes."""
        gone = [p for p in self.request if p == path or p.startswith(path + "/")]
        contents = [self.request.pop(p)[1] for p in gone]
        assert contents, f"{path} is not there"
        return contents[0] if isinstance(contents[0], bytes) else b""

    def read(self, path: str) -> bytes:
        """The bytes of a file that stands on main."""
        return self.tree.files[path][1]

    def requested(self) -> Simulator:
        """The registry as it would be with the request: to pin what the request itself adds."""
        files = {p: (m, c) for p, (m, c) in self.request.items() if isinstance(c, bytes)}
        return Simulator(MemoryTree(files))

    # --- main, by force -------------------------------------------------------------------

    def push(self, *parents: str) -> str:
        """Main takes the request, whatever it is; returns the commit.

        Args:
            parents: the commit's parents, where they are not just main.
        """
        oid = self.git.tree(self.request)
        above = list(parents) or ([self.main] if self.main else [])
        self.main = self.git.commit(oid, above, "Pushed by force")
        self.tree = self.requested().tree
        return self.main

    def reset(self, to: Simulator, commit: str) -> None:
        """Main goes back (or over) to a commit at which `to` stood."""
        self.tree, self.history, self.main = to.tree, list(to.history), commit
        self.request = dict(self.tree.files)

    def remember(self) -> None:
        """The client has checked main as it is now."""
        self.git.ref("known", self.main)

    def finish(self) -> None:
        """Writes the branches `main` and `request`."""
        if self.main:
            self.git.ref("main", self.main)
        oid = self.git.tree(self.request)
        parents = [self.main] if self.main else []
        self.git.ref("request", self.git.commit(oid, parents, "A request"))
