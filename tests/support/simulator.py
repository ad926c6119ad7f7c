"""A registry simulator: real keys, real signatures, real checks, held in memory.

In the spirit of python-tuf's RepositorySimulator: nothing is mocked. ``Simulator`` holds one
tree; constructors make a valid record of every kind out of what stands in it, `sign` makes the
files of a request, `check` judges them and `merge` takes them over only if they are complete.
Keys are derived from names, so that every run makes the same bytes. ``in_git`` writes it out.

Example:
    >>> registry = full_registry()
    >>> files = registry.sign(registry.dataset("ky/other"), by=["ky"])
    >>> registry.check(files).verdict
    'complete'
    >>> registry.check(registry.sign(registry.dataset("ky/other"), by=["ms"])).verdict
    'invalid'
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from medperf_git.canonical.digest import sha256_hex
from medperf_git.canonical.document import Document, emit
from medperf_git.checks.check import check
from medperf_git.checks.report import Report
from medperf_git.git.objects import FILE_MODE
from medperf_git.records.base import Pin, Record
from medperf_git.records.codec import build, dump, encode
from medperf_git.records.namespace import namespace as namespace_of
from medperf_git.records.schema import schema_file
from medperf_git.records.withdrawal import Withdrawal
from medperf_git.store.paths import GENESIS, Place
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import MemoryTree
from medperf_git.trust import sshsig
from medperf_git.trust.keys import ED25519, PublicKey
from tests.support.parts import container, execution

Files = dict[str, bytes]
"""Added files by path: what a request brings."""

ADMINISTRATORS: Final = ("ada", "alan", "amy")
COMMITTEE: Final = ("anna", "ben", "chloe")
BENCHMARK: Final = "chair/preterm"
PREPARATION: Final = "chair/prep"
METRICS: Final = "chair/metrics"
REFERENCE_MODEL: Final = "chair/baseline"
MODEL: Final = "maker/net"
DATASET: Final = "ky/opt"
RESULT: Final = f"{BENCHMARK}/{DATASET}/{MODEL}"
PEOPLE: Final = (*ADMINISTRATORS, *COMMITTEE, "chair", "maker", "ky", "ms")
"""Everybody who is registered in `full_registry`; each has one key, named `first`."""

CASES: Final = 211


def digest(text: str) -> str:
    """A made-up but stable SHA-256 for something that the registry only pins."""
    return sha256_hex(text.encode())


@cache
def private_key(person: str, key: str = "first") -> Ed25519PrivateKey:
    """The private key with this name; the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"{person}/{key}".encode()).digest())


def public_key(person: str, key: str = "first") -> str:
    """The public key's OpenSSH text."""
    return PublicKey(ED25519, private_key(person, key).public_key().public_bytes_raw()).text


def key_entry(person: str, key: str = "first", *, revoked: str = "") -> dict[str, Any]:
    """An entry of a participant's `keys`; `revoked` names the reason."""
    entry: dict[str, Any] = {"name": key, "public_key": public_key(person, key)}
    if not revoked:
        return {**entry, "status": "active"}
    doubt = {"doubted_from": "c" * 40} if revoked == "compromised" else {}
    return {**entry, "status": "revoked", "revoked": {"reason": revoked, **doubt}}


def spell(place: Place, data: Mapping[str, Any]) -> bytes:
    """Canonical bytes for a place, whatever the data: for records that no model would hold."""
    schema = "../" * place.depth + "schemas/" + schema_file(place.record_kind)
    return emit(Document(schema, dict(data)))


def place_of(record: Record) -> Place:
    """Where a record belongs."""
    data = dump(record)
    if isinstance(record, Withdrawal):
        return Place(record.target_kind, record.id, record.revision, withdrawn=True)
    return Place(data["kind"], data["id"], data["revision"])


def participant_record(person: str, *keys: Mapping[str, Any], **changes: Any) -> Record:
    """A registration; `keys` are `key_entry` values, one key named `first` by default."""
    data: dict[str, Any] = {"kind": "participant", "id": person, "revision": 1, "name": person}
    return build("participant", {**data, "keys": list(keys) or [key_entry(person)], **changes})


def passing_test(model_image: str) -> dict[str, Any]:
    """A passing compatibility test of the model with this image."""
    return {
        "demo_data": digest("demo"),
        "model": model_image,
        "metrics": [{"id": "auroc", "value": 0.7, "low": 0.6, "high": 0.8, "n": 40}],
        "denominator": {"cases": 40, "evaluated": 40, "failed": 0, "excluded": 0},
        "execution": execution(model_image, digest(METRICS)),
    }


class Simulator:
    """One registry, at one moment; `merge` moves it on."""

    def __init__(self, tree: MemoryTree | None = None) -> None:
        self.tree = tree if tree is not None else MemoryTree({})
        self.history: list[MemoryTree] = []
        """The tree after each merge, the genesis first."""

    # --- reading --------------------------------------------------------------------------

    @property
    def snapshot(self) -> Snapshot:
        """The registry as it stands."""
        return Snapshot(self.tree)

    def copy(self) -> Simulator:
        """An independent registry with the same content and history."""
        twin = Simulator(self.tree)
        twin.history = list(self.history)
        return twin

    def ahead(self, files: Mapping[str, bytes]) -> Simulator:
        """A registry in which `files` stand already, unjudged: to pin what one request adds."""
        return Simulator(self.tree.with_files(files))

    def pin(self, kind: str, record_id: str, revision: int | None = None) -> dict[str, Any]:
        """A pin of the standing revision, or of another one."""
        place = self.snapshot.standing(kind, record_id)
        if revision is not None:
            place = Place(kind, record_id, revision)
        assert place is not None, f"no {kind} {record_id} stands"
        payload = self.snapshot.payload(place.path)
        assert payload is not None, place.path
        return Pin(id=record_id, revision=place.revision, sha256=sha256_hex(payload)).model_dump()

    def next_revision(self, kind: str, record_id: str) -> int:
        """The number of a record's next revision."""
        newest = self.snapshot.newest(kind, record_id)
        return newest.revision + 1 if newest else 1

    # --- signing --------------------------------------------------------------------------

    def sign(self, record: Record, by: Iterable[str] = (), proofs: Iterable[str] = ()) -> Files:
        """The files of a request: the record, and signatures beside it.

        Args:
            record: any record.
            by: who signs: `ky` with the first active key, `ky:second` with another one.
            proofs: names of a participant's new keys, each of which signs too.
        """
        place = place_of(record)
        return self.sign_bytes(place, encode(record, depth=place.depth), by, proofs)

    def sign_bytes(
        self, place: Place, payload: bytes, by: Iterable[str] = (), proofs: Iterable[str] = ()
    ) -> Files:
        """As `sign`, for bytes that may be no record at all."""
        files = {place.path: payload}
        for signer in by:
            person, _, key = signer.partition(":")
            files[place.signature(person)] = self.signature(place, payload, person, key)
        for key in proofs:
            files[place.signature(place.id, key)] = self.signature(place, payload, place.id, key)
        return files

    def signature(
        self, place: Place, payload: bytes, person: str, key: str = "", namespace: str = ""
    ) -> bytes:
        """One armoured signature; `namespace` replaces the right one."""
        if not namespace:
            identity = self.snapshot.identity if self.snapshot.exists else sha256_hex(payload)
            namespace = namespace_of(place.record_kind, identity, revision=place.revision)
        return sshsig.sign(payload, namespace, private_key(person, key or self._key_of(person)))

    def _key_of(self, person: str) -> str:
        known = self.snapshot.participant(person) if self.snapshot.exists else None
        return known.active_keys[0].name if known else "first"

    # --- judging --------------------------------------------------------------------------

    def check(self, files: Mapping[str, bytes]) -> Report:
        """The verdict on adding (or replacing) these files."""
        return check(self.snapshot, Snapshot(self.tree.with_files(files)))

    def merge(self, files: Mapping[str, bytes]) -> None:
        """Adds the files; they must be complete."""
        report = self.check(files)
        assert report, (report.findings, report.waiting_for())
        self.tree = self.tree.with_files(files)
        self.history.append(self.tree)

    # --- records --------------------------------------------------------------------------

    def genesis(
        self, people: Iterable[str] = ADMINISTRATORS, threshold: int = 2, **changes: Any
    ) -> Files:
        """Root 1 with its administrators' records, signed by all of them."""
        records = [participant_record(person) for person in people]
        pins = [
            Pin(id=p.record_id, revision=1, sha256=sha256_hex(encode(p, depth=3))).model_dump()
            for p in records
        ]
        data = {"kind": "root", "id": "root", "revision": 1, "name": "Simulated registry"}
        root = build("root", {**data, "administrators": pins, "threshold": threshold, **changes})
        files = Simulator().sign(root, by=[p.record_id for p in records])
        begun = Simulator(MemoryTree({GENESIS: (FILE_MODE, files[GENESIS])}))
        for record in records:
            files |= begun.sign(record, by=[record.record_id])
        return files

    def root(self, people: Iterable[str] = ADMINISTRATORS, **changes: Any) -> Record:
        """The next root."""
        before = self.snapshot.root()
        assert before is not None, "no genesis yet"
        pins = [self.pin("participant", person) for person in people]
        revision = self.next_revision("root", "root")
        data = {**dump(before), "administrators": pins, "revision": revision}
        return build("root", {**data, **changes})

    def participant(self, person: str, *keys: Mapping[str, Any], **changes: Any) -> Record:
        """A participant's next revision."""
        revision = self.next_revision("participant", person)
        return participant_record(person, *keys, **{"revision": revision, **changes})

    def _make(self, kind: str, record_id: str, data: Mapping[str, Any]) -> Record:
        head = {"kind": kind, "id": record_id, "revision": self.next_revision(kind, record_id)}
        return build(kind, {**head, **data})

    def mlcube(self, record_id: str, role: str, **changes: Any) -> Record:
        """A data-preparation or metrics MLCube's next revision."""
        data = {"name": record_id, "role": role, **container(record_id, role, digest(record_id))}
        return self._make("mlcube", record_id, {**data, **changes})

    def model(self, record_id: str = MODEL, **changes: Any) -> Record:
        """A model's next revision."""
        data = {"name": record_id, **container(record_id, "model", digest(record_id))}
        return self._make("model", record_id, {**data, **changes})

    def dataset(self, record_id: str = DATASET, **changes: Any) -> Record:
        """A dataset's next revision, prepared by the benchmark's MLCube."""
        data: dict[str, Any] = {
            "name": record_id,
            "preparation": self.pin("mlcube", PREPARATION),
            "fingerprint": {"data": digest("d"), "labels": digest("l"), "files": 3, "size": 99},
            "cases": CASES,
            "statistics": {"cases": CASES},
        }
        return self._make("dataset", record_id, {**data, **changes})

    def benchmark(self, record_id: str = BENCHMARK, **changes: Any) -> Record:
        """A benchmark's next revision."""
        text = "For tests."
        metric: dict[str, Any] = {"id": "auroc", "name": "AUROC", "path": "auroc", "unit": "1"}
        metric |= {"minimum": 0.0, "maximum": 1.0, "direction": "higher", "interval": "required"}
        data: dict[str, Any] = {
            "name": record_id,
            "clinical": {"setting": text, "task": text, "labelling": text}
            | {"inclusion_criteria": [text]},
            "metrics": [metric],
            "primary_metric": "auroc",
            "minimum_cases": 20,
            "data_preparation": self.pin("mlcube", PREPARATION),
            "evaluation_metrics": self.pin("mlcube", METRICS),
            "reference_model": self.pin("model", REFERENCE_MODEL),
            "demo_data": {"sha256": digest("demo"), "size": 99, "files": 3},
            "committee": {"members": list(COMMITTEE), "threshold": 2},
            "compatibility_test": passing_test(digest(REFERENCE_MODEL)),
        }
        return self._make("benchmark", record_id, {**data, **changes})

    def policy(self, benchmark: str = BENCHMARK, **changes: Any) -> Record:
        """A policy's next revision: open, everything approved by the committee but results."""
        data = {"benchmark": self.pin("benchmark", benchmark), "open": True}
        return self._make("policy", benchmark, {**data, **changes})

    def model_association(
        self, model: str = MODEL, benchmark: str = BENCHMARK, **changes: Any
    ) -> Record:
        """The next revision of a model's association."""
        data = {
            "benchmark": self.pin("benchmark", benchmark),
            "model": self.pin("model", model),
            "compatibility_test": passing_test(digest(model)),
        }
        return self._make("model-association", f"{benchmark}/{model}", {**data, **changes})

    def dataset_association(
        self, dataset: str = DATASET, benchmark: str = BENCHMARK, **changes: Any
    ) -> Record:
        """The next revision of a dataset's association."""
        data = {
            "benchmark": self.pin("benchmark", benchmark),
            "dataset": self.pin("dataset", dataset),
        }
        return self._make("dataset-association", f"{benchmark}/{dataset}", {**data, **changes})

    def result(
        self, dataset: str = DATASET, model: str = MODEL, benchmark: str = BENCHMARK, **changes: Any
    ) -> Record:
        """The next revision of a result; the reference model gets no association."""
        data: dict[str, Any] = {
            "benchmark": self.pin("benchmark", benchmark),
            "dataset": self.pin("dataset", dataset),
            "model": self.pin("model", model),
            "dataset_association": self.pin("dataset-association", f"{benchmark}/{dataset}"),
            "metrics": [{"id": "auroc", "value": 0.75, "low": 0.7, "high": 0.8, "n": 200}],
            "denominator": {"cases": CASES, "evaluated": 200, "failed": 1, "excluded": 10},
            "execution": execution(digest(model), digest(METRICS)),
        }
        if model != REFERENCE_MODEL:
            association = f"{benchmark}/{model}"
            data["model_association"] = self.pin("model-association", association)
        return self._make("result", f"{benchmark}/{dataset}/{model}", {**data, **changes})

    def control(self, tree: str, **changes: Any) -> Record:
        """The next control record, pinning this digest."""
        return self._make("control", "control", {"tree": tree, "reason": "For tests.", **changes})

    def withdrawal(
        self, kind: str, record_id: str, revision: int | None = None, **changes: Any
    ) -> Record:
        """A withdrawal of the standing revision, or of another one."""
        target = self.pin(kind, record_id, revision)
        data = {"kind": "withdrawal", "id": record_id, "revision": target["revision"]}
        data |= {"target_kind": kind, "target": target, "reason": "For tests."}
        return build("withdrawal", {**data, **changes})


# --- whole registries ----------------------------------------------------------------------


def full_registry() -> Simulator:
    """A registry with everything: each step was checked `complete`. Cheap: built once."""
    return _full().copy()


@cache
def _full() -> Simulator:
    registry = begun_registry()
    for cube, role in ((PREPARATION, "data-preparation"), (METRICS, "metrics")):
        registry.merge(registry.sign(registry.mlcube(cube, role), by=["chair"]))
    registry.merge(registry.sign(registry.model(REFERENCE_MODEL), by=["chair"]))
    registry.merge(registry.sign(registry.benchmark(), by=BENCHMARK_SIGNERS))
    registry.merge(registry.sign(registry.policy(), by=COMMITTEE[:2]))
    registry.merge(registry.sign(registry.model(), by=["maker"]))
    registry.merge(registry.sign(registry.dataset(), by=["ky"]))
    registry.merge(registry.sign(registry.model_association(), by=["maker", *COMMITTEE[:2]]))
    registry.merge(registry.sign(registry.dataset_association(), by=["ky", *COMMITTEE[:2]]))
    registry.merge(registry.sign(registry.result(), by=["ky"]))
    return registry


BENCHMARK_SIGNERS: Final = ("chair", *COMMITTEE[:2], *ADMINISTRATORS[:2])


def begun_registry(**root: Any) -> Simulator:
    """The genesis and everybody in `PEOPLE`, nothing else."""
    registry = Simulator()
    registry.merge(registry.genesis(**root))
    for person in PEOPLE:
        if person not in ADMINISTRATORS:
            registry.merge(registry.sign(participant_record(person), by=[person, "ada"]))
    return registry
