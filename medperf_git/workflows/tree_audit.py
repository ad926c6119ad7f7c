"""Auditing one finished tree, without its history.

Every record must be well-formed, follow its revision before, resolve its references and carry
the signatures that some state of the registry could have asked for, by keys that stood in some
revision of their owner's record (in that record itself: the revision before) and are not
doubted. That each key stood at the right moment is what the history's audit shows; this one
can't, and its report says so. It is at least as strict as ``tools/verify.sh``.

Example::

    report = audit_tree(repository, repository.resolve("HEAD"), genesis=None)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from medperf_git.checks.report import Finding, Report
from medperf_git.checks.transition import MAX_SIDECARS
from medperf_git.errors import MpgitError, TrustError
from medperf_git.git.objects import FILE_MODE, TreeEntry
from medperf_git.progress import Progress, untold
from medperf_git.records.base import Record
from medperf_git.records.benchmark import Benchmark, Committee
from medperf_git.records.participant import Key, Participant
from medperf_git.records.policy import Policy
from medperf_git.records.root import Root
from medperf_git.store.paths import REGISTRY, Place, SignaturePlace, locate
from medperf_git.store.snapshot import Loaded, Snapshot, snapshot_at
from medperf_git.store.tree import Tree
from medperf_git.trust.authority import demand, keys_of
from medperf_git.trust.keys import PublicKey
from medperf_git.trust.sshsig import MAX_BYTES, Signature
from medperf_git.vcs import Repository
from medperf_git.workflows.audit import other_genesis
from medperf_git.workflows.audit_report import AuditReport, Failure

CHECKED = "finished tree: each signature by a key that once stood; not that it stood then"
MAX_PATHS = 10_000_000
"""More files are not looked at: a small Git tree can spell out to billions."""
DEEPEST = 8
"""Folders above a result, the deepest record."""

_Signed = list[tuple[SignaturePlace, PublicKey]]
"""Good signatures, each with the key that made it."""


@dataclass(frozen=True)
class PastView:
    """The registry as it may have stood before a record: chosen revisions of what decides."""

    snapshot: Snapshot
    root_place: Place | None
    benchmark_place: Place | None
    policy_place: Place | None
    before: Place

    def root(self) -> Root | None:
        """The chosen root."""
        record = self._load(self.root_place)
        return record if isinstance(record, Root) else None

    def participant(self, participant: str, /) -> Participant | None:
        """The revision before a participant's own record; else the newest."""
        places = list(self.snapshot.revisions("participant", participant))
        if (self.before.kind, self.before.id) == ("participant", participant):
            places = [p for p in places if p.revision < self.before.revision]
        record = self._load(places[-1] if places else None)
        return record if isinstance(record, Participant) else None

    def committee(self, _benchmark: str, /) -> Committee | None:
        """The committee of the chosen benchmark."""
        record = self._load(self.benchmark_place)
        return record.committee if isinstance(record, Benchmark) else None

    def policy(self, _benchmark: str, /) -> Policy | None:
        """The chosen policy."""
        record = self._load(self.policy_place)
        return record if isinstance(record, Policy) else None

    def withdrawers(self, _kind: str, _record_id: str, /) -> frozenset[str]:
        """Nobody: whether the revision before was withdrawn already, only the history tells."""
        return frozenset()

    def _load(self, place: Place | None) -> Record | None:
        return None if place is None else _record(self.snapshot, place)


def _record(snapshot: Snapshot, place: Place) -> Record | None:
    """The record, or None where it can't be read: that is a finding of its own."""
    try:
        return snapshot.load(place).record
    except MpgitError:
        return None


def audit_tree(
    repository: Repository,
    head: str,
    *,
    genesis: str | None,
    progress: Progress = untold,
) -> AuditReport:
    """Verifies every record and signature of the tree at a commit.

    Args:
        repository: holds the commit.
        head: the commit.
        genesis: the pinned identity, or None.
        progress: called after each file.

    Raises:
        RegistryError: no registry, or another genesis.
    """
    snapshot = snapshot_at(repository, head)
    identity = snapshot.identity
    if genesis is not None and identity != genesis:
        raise other_genesis(genesis, identity)
    places, findings = _contents(snapshot)
    for done, place in enumerate(places, start=1):
        findings += _judged(snapshot, place)
        progress(done, len(places))
    report = Report("", head, tuple(findings), ())
    failures = (Failure(head, report),) if findings else ()
    return AuditReport(identity, head, 1, len(places), failures, CHECKED)


def _contents(snapshot: Snapshot) -> tuple[list[Place], list[Finding]]:
    """The place of every record, and what stands where nothing may."""
    places: list[Place] = []
    findings: list[Finding] = []
    try:
        for number, (path, entry) in enumerate(islice(_walk(snapshot.tree), MAX_PATHS + 1)):
            place = locate(path)
            if number == MAX_PATHS:
                findings.append(Finding("readable-tree", REGISTRY, f"more than {number} files"))
            elif place is None:
                why = "no record or signature may stand here"
                findings.append(Finding("known-paths", path, why))
            elif entry.mode != FILE_MODE:
                why = f"mode {entry.mode:o}, not {FILE_MODE:o}"
                findings.append(Finding("regular-files", path, why))
            elif isinstance(place, Place):
                places.append(place)
            elif not snapshot.has(place.record):
                findings.append(Finding("stray-signatures", path, "it signs no record"))
    except MpgitError as error:
        findings.append(Finding("readable-tree", error.place or REGISTRY, error.message))
    return places, findings


def _walk(tree: Tree, folder: str = REGISTRY) -> Iterator[tuple[str, TreeEntry]]:
    """Every file by path, and every folder that is empty (git can hold one) or too deep."""
    for name, entry in sorted(tree.entries(folder).items()):
        path = f"{folder}/{name}"
        if entry.is_tree and path.count("/") < DEEPEST and tree.entries(path):
            yield from _walk(tree, path)
        else:
            yield path, entry


def _judged(snapshot: Snapshot, place: Place) -> list[Finding]:
    """What is wrong with one record; what it rests on may be damaged as well."""
    findings: list[Finding] = []
    try:
        findings.extend(_judge(snapshot, place))
    except MpgitError as error:
        findings.append(
            Finding(error.code, place.path, f"can't be judged: {error.place}: {error.message}")
        )
    return findings


def _judge(snapshot: Snapshot, place: Place) -> Iterator[Finding]:
    try:
        loaded = snapshot.load(place)
        for reference in loaded.record.references():
            snapshot.resolve(reference.kind, reference.pin)
    except MpgitError as error:
        yield Finding(error.code, place.path, error.message)
        return
    yield from _in_its_place(snapshot, place, loaded.record)
    beside = snapshot.signatures(place)
    if len(beside) > MAX_SIDECARS:
        why = f"{len(beside)} signatures; at most {MAX_SIDECARS}"
        yield Finding("stray-signatures", place.path, why)
        return
    signed: _Signed = []
    for signature in beside:
        try:
            signed.append((signature, _verified(snapshot, loaded, signature)))
        except TrustError as error:
            why = f"over {place.path}: {error.message}"
            yield Finding("signature", signature.path, why)
    yield from _by_different_people(signed)
    yield from _authorised(snapshot, place, loaded.record, signed)


def _in_its_place(snapshot: Snapshot, place: Place, record: Record) -> Iterator[Finding]:
    """Whether the body names what the path does, and the revision before is there."""
    kind = getattr(record, "target_kind", None) if place.withdrawn else place.kind
    said = (kind, record.record_id, getattr(record, "revision", None))
    if said != (place.kind, place.id, place.revision):
        yield Finding("body-agrees-with-path", place.path, "the body names another record")
    before = _before(place)
    if not place.withdrawn and place.revision > 1 and not snapshot.has(before):
        yield Finding("next-revision", place.path, f"revision {before.revision} is missing")


def _before(place: Place) -> Place:
    return Place(place.kind, place.id, place.revision - 1)


def _verified(snapshot: Snapshot, loaded: Loaded, signature: SignaturePlace) -> PublicKey:
    """The key of a good signature.

    Raises:
        TrustError: no signature, or over other bytes, or by a key that may not sign here.
    """
    parsed = Signature.parse(snapshot.payload(signature.path, most=MAX_BYTES) or b"")
    parsed.verify(loaded.payload, snapshot.namespace(signature.record))
    signer, text = signature.signer, parsed.key.text
    known = [key for key in _all_keys(snapshot, signer) if key.public_key == text]
    if any(key.revoked and key.revoked.reason == "compromised" for key in known):
        raise TrustError(f"its key is doubted by {signer}; the history tells from when on")
    if isinstance(loaded.record, Participant) and loaded.record.id == signer:
        known = _keys_of_oneself(snapshot, loaded.record, signature)
    elif signature.key is not None:
        raise TrustError(f"it proves a key, but this is no record of {signer}")
    if not any(key.public_key == text for key in known):
        raise TrustError(f"its key is none that {signer} could sign this with")
    return parsed.key


def _all_keys(snapshot: Snapshot, participant: str) -> list[Key]:
    keys: list[Key] = []
    for place in snapshot.revisions("participant", participant):
        record = _record(snapshot, place)
        keys += record.keys if isinstance(record, Participant) else ()
    return keys


def _keys_of_oneself(
    snapshot: Snapshot, record: Participant, signature: SignaturePlace
) -> list[Key]:
    """The keys for one's own record: those active before, or the one whose possession is proved."""
    if signature.key is not None:
        return [key for key in record.active_keys if key.name == signature.key]
    view = PastView(snapshot, None, None, None, signature.record)
    return list(keys_of(signature.signer, record, view))


def _by_different_people(signed: _Signed) -> Iterator[Finding]:
    used: dict[bytes, str] = {}
    for signature, key in signed:
        other = used.setdefault(key.point, signature.signer)
        if other != signature.signer:
            why = f"made with a key that {other} signed with"
            yield Finding("one-key-one-person", signature.path, why)


def _authorised(
    snapshot: Snapshot, place: Place, record: Record, signed: _Signed
) -> Iterator[Finding]:
    """Whether the signatures suffice in some state that the registry may have had."""
    signers = {signature.signer for signature, _ in signed if signature.key is None}
    demands = [demand(record, view) for view in _past_views(snapshot, place)]
    missing = min(wanted.nearest(signers).missing(signers) for wanted in demands)
    if missing > 0:
        yield Finding("not-complete", place.path, f"{missing} signatures are missing")
    # New keys depend on the revision before alone: all demands name the same.
    proved = {key.text for signature, key in signed if signature.signer == place.id}
    for key in demands[0].proofs:
        if key.public_key not in proved:
            why = f"nothing proves that {place.id} holds the key {key.name}"
            yield Finding("not-complete", place.path, why)


def _past_views(snapshot: Snapshot, place: Place) -> list[PastView]:
    roots: list[Place | None] = [*snapshot.revisions("root", "root")]
    if place.kind == "root":
        roots = [_before(place) if place.revision > 1 else None]
    elif _is_founder(snapshot, place):
        roots = [None, *roots]
    return [
        PastView(snapshot, root, benchmark, policy, place)
        for root in roots
        for benchmark in _past(snapshot, "benchmark", place)
        for policy in _past(snapshot, "policy", place)
    ]


_UNDER_BENCHMARK = ("policy", "model-association", "dataset-association", "result")


def _past(snapshot: Snapshot, kind: str, place: Place) -> list[Place | None]:
    """The revisions of a benchmark or its policy that may have stood before a record."""
    if place.kind == "benchmark":
        places = snapshot.revisions(kind, place.id)
        before = [p for p in places if p.revision < place.revision or place.withdrawn]
        return list(before[-1:]) or [None]
    if place.kind not in _UNDER_BENCHMARK:
        return [None]
    return [None, *snapshot.revisions(kind, "/".join(place.id.split("/")[:2]))]


def _is_founder(snapshot: Snapshot, place: Place) -> bool:
    """Whether the genesis pins this participant: then nobody had to approve it."""
    if place.kind != "participant" or place.revision != 1:
        return False
    root = _record(snapshot, Place("root", "root", 1))
    return isinstance(root, Root) and place.id in root.administrator_ids
