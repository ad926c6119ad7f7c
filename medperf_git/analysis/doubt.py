"""Doubt: records that rest on the signature of a key that turned out compromised.

A revocation with the reason `compromised` names the first commit of main that is doubted.
Records that reached main there or later show as doubted, if without that key's signatures
they would not be complete, until they are issued again as the next revision. What came
before stays good. Needs the history only where a compromised key signed something.

Example:
    >>> from medperf_git.store.tree import MemoryTree
    >>> Doubts(Snapshot(MemoryTree({}))).reason(Place("dataset", "ky/opt", 1))
    ''
"""

from __future__ import annotations

from functools import cache

from medperf_git.errors import MpgitError
from medperf_git.records.participant import Participant
from medperf_git.store.paths import Place, SignaturePlace
from medperf_git.store.scope import ScopedTree
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import GitTree
from medperf_git.trust.authority import demand
from medperf_git.trust.sshsig import MAX_BYTES, Signature


class Doubts:
    """What is doubted in a registry at one commit."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._keys = _compromised(snapshot)
        self.reason = cache(self._reason)

    def _reason(self, place: Place) -> str:
        """Why a record is doubted, or "" where it is not."""
        if not self._keys:
            return ""
        own = self._of_signatures(place)
        if own:
            return own
        for reference in self._snapshot.load(place).record.references():
            pin = reference.pin
            target = Place(reference.kind, pin.id, pin.revision)
            if self.reason(target):
                return f"{reference.field} {pin.id} is doubted"
        return ""

    def _of_signatures(self, place: Place) -> str:
        signatures = self._snapshot.signatures(place)
        doubted = {s.signer for s in signatures if self._is_doubted(s)}
        if not doubted:
            return ""
        good = {s.signer for s in signatures if s.key is None} - doubted
        record = self._snapshot.load(place).record
        if demand(record, self._snapshot).nearest(good).missing(good) == 0:
            return ""
        return f"signed with a compromised key of {', '.join(sorted(doubted))}"

    def _is_doubted(self, signature: SignaturePlace) -> bool:
        payload = self._snapshot.payload(signature.path, most=MAX_BYTES) or b""
        since = self._keys.get(Signature.parse(payload).key.text)
        return since is not None and self._came_since(signature.path, since)

    def _came_since(self, path: str, since: str) -> bool:
        tree, head = self._snapshot.tree, self._snapshot.commit
        if not isinstance(tree, GitTree | ScopedTree) or head is None:
            return True  # without history nobody can tell: doubt
        added = tree.repository.last_change(path, head)
        try:
            return added is None or tree.repository.is_ancestor(since, added)
        except MpgitError:
            return True


def _compromised(snapshot: Snapshot) -> dict[str, str]:
    """Compromised public keys, each with the first commit that is doubted."""
    found: dict[str, str] = {}
    ids = {place.id for place in snapshot.places("participant")}
    for participant in sorted(ids):
        newest = snapshot.newest("participant", participant)
        record = None if newest is None else snapshot.load(newest).record
        if not isinstance(record, Participant):
            continue
        for key in record.keys:
            if key.revoked is not None and key.revoked.doubted_from is not None:
                found[key.public_key] = key.revoked.doubted_from
    return found
