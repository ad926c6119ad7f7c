"""Auditing one finished tree, without its history.

Every record must be well-formed, resolve its references and carry the signatures that some
state of the registry could have asked for, by keys that stood in some revision of their
owner's record and are not doubted. That each key stood at the right moment is what the
history's audit shows; this one can't, and its report says so.

Example::

    report = audit_tree(repository, repository.resolve("HEAD"), genesis=None)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from medperf_git.checks.report import Finding, Report
from medperf_git.errors import MpgitError, TrustError
from medperf_git.records.base import Record
from medperf_git.records.benchmark import Benchmark, Committee
from medperf_git.records.participant import Key, Participant
from medperf_git.records.policy import Policy
from medperf_git.records.root import Root
from medperf_git.store.paths import Place, SignaturePlace
from medperf_git.store.snapshot import Snapshot
from medperf_git.trust.authority import demand
from medperf_git.trust.sshsig import MAX_BYTES, Signature
from medperf_git.vcs import Repository
from medperf_git.workflows.audit import (
    AuditReport,
    Failure,
    Progress,
    other_genesis,
    snapshot_at,
)

CHECKED = "finished tree: each signature by a key that once stood; not that it stood then"


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
        places = self.snapshot.revisions("participant", participant)
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
    progress: Progress = lambda _done, _all: None,
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
    findings: list[Finding] = []
    everything = list(snapshot.everything())
    records = 0
    for done, (path, place) in enumerate(everything, start=1):
        if place is None:
            findings.append(Finding("known-paths", path, "no record or signature may stand here"))
        elif isinstance(place, Place):
            records += 1
            findings += _judged(snapshot, place)
        elif not snapshot.has(place.record):
            findings.append(Finding("stray-signatures", path, "it signs no record"))
        progress(done, len(everything))
    report = Report("", head, tuple(findings), ())
    failures = (Failure(head, report),) if findings else ()
    return AuditReport(identity, head, 1, records, failures, CHECKED)


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
    said = (loaded.record.record_id, getattr(loaded.record, "revision", None))
    if said != (place.id, place.revision):
        yield Finding("body-agrees-with-path", place.path, "the body names another record")
    signers: set[str] = set()
    for signature in snapshot.signatures(place):
        problem = _problem(snapshot, signature, loaded.payload)
        if problem is not None:
            yield Finding("signature", signature.path, problem)
        elif signature.key is None:
            signers.add(signature.signer)
    yield from _authorised(snapshot, place, loaded.record, signers)


def _problem(snapshot: Snapshot, signature: SignaturePlace, payload: bytes) -> str | None:
    try:
        parsed = Signature.parse(snapshot.payload(signature.path, most=MAX_BYTES) or b"")
        parsed.verify(payload, snapshot.namespace(signature.record))
    except TrustError as error:
        return f"over {signature.record.path}: {error.message}"
    keys = [key for key in _all_keys(snapshot, signature.signer)
            if key.public_key == parsed.key.text]  # fmt: skip
    if not keys:
        return f"its key never stood in a record of {signature.signer}"
    if any(key.revoked and key.revoked.reason == "compromised" for key in keys):
        return f"its key is doubted by {signature.signer}; the history tells from when on"
    return None


def _all_keys(snapshot: Snapshot, participant: str) -> list[Key]:
    keys: list[Key] = []
    for place in snapshot.revisions("participant", participant):
        record = _record(snapshot, place)
        keys += record.keys if isinstance(record, Participant) else ()
    return keys


def _authorised(
    snapshot: Snapshot, place: Place, record: Record, signers: set[str]
) -> Iterator[Finding]:
    roots: list[Place | None] = [*snapshot.revisions("root", "root")]
    if place.kind == "root":
        roots = [p for p in roots if p is not None and p.revision < place.revision] or [None]
    elif _is_founder(snapshot, place):
        roots = [None, *roots]
    views = [
        PastView(snapshot, root, benchmark, policy, place)
        for root in roots
        for benchmark in _past(snapshot, "benchmark", place)
        for policy in _past(snapshot, "policy", place)
    ]
    missing = [demand(record, view).nearest(signers).missing(signers) for view in views]
    if min(missing) > 0:
        yield Finding("not-complete", place.path, f"{min(missing)} signatures are missing")


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
