"""One table: for each rule a good twin and the named defects that it alone refuses."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from medperf_git.checks.control_rules import control_digest
from medperf_git.checks.transition import MAX_SIDECARS
from medperf_git.git.objects import FILE_MODE, TREE_MODE, TreeEntry
from medperf_git.records.codec import dump
from medperf_git.store.paths import GENESIS, Place
from medperf_git.store.tree import GitTree, MemoryTree, Tree
from medperf_git.vcs import Repository
from tests.support.in_git import write_files
from tests.support.simulator import (
    BENCHMARK,
    BENCHMARK_SIGNERS,
    COMMITTEE,
    DATASET,
    METRICS,
    MODEL,
    PREPARATION,
    REFERENCE_MODEL,
    Files,
    Simulator,
    begun_registry,
    digest,
    full_registry,
    key_entry,
    participant_record,
    passing_test,
    place_of,
    spell,
)

EXECUTABLE: Final = 0o100755
LINK: Final = 0o120000
SUBMODULE: Final = 0o160000
Pair = tuple[Tree, Tree]
"""Base and head."""


class Bench:
    """What a case is built on: the full registry, and a repository for trees only Git can hold."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.full = full_registry()

    def plus(self, files: Files, registry: Simulator | None = None) -> Pair:
        """The registry, and the registry with these files."""
        registry = registry or self.full
        return registry.tree, registry.tree.with_files(files)

    def moded(self, files: dict[str, tuple[int, bytes]], without: str = "") -> Pair:
        """As `plus`, with modes; `without` leaves a path of the base out."""
        kept = {p: f for p, f in self.full.tree.files.items() if p != without}
        return self.full.tree, MemoryTree({**kept, **files})

    def git(self, edit: Callable[[Repository, TreeEntry], TreeEntry]) -> Pair:
        """The registry in Git, and the same with the entry `registry` edited."""
        base = write_files(self.repository, dict(self.full.tree.files))
        (registry,) = self.repository.folder(base).values()
        head = self.repository.write_tree([edit(self.repository, registry)])
        return GitTree(self.repository, base), GitTree(self.repository, head)


@dataclass(frozen=True)
class Case:
    """A transition with a name; `code` is the one rule that refuses it, "" for a good one."""

    rule: str
    name: str
    build: Callable[[Bench], Pair]
    good: bool = False

    def __str__(self) -> str:
        return f"{self.rule}-{'good' if self.good else self.name}"


CASES: list[Case] = []


def bad(rule: str, *names: str) -> Callable[[Callable[..., Pair]], Callable[..., Pair]]:
    """Registers a builder; with several names it is called once with each of them."""

    def register(build: Callable[..., Pair]) -> Callable[..., Pair]:
        for name in names:
            call = (lambda bench, name=name: build(bench, name)) if len(names) > 1 else build
            CASES.append(Case(rule, name, call))
        return build

    return register


def good(*rules: str) -> Callable[[Callable[[Bench], Pair]], Callable[[Bench], Pair]]:
    """Registers a good twin for these rules."""

    def register(build: Callable[[Bench], Pair]) -> Callable[[Bench], Pair]:
        CASES.extend(Case(rule, build.__name__, build, good=True) for rule in rules)
        return build

    return register


# --- 1. paths ------------------------------------------------------------------------------


@good(
    *("only-additions", "regular-files", "known-paths", "stray-signatures", "next-revision"),
    *("canonical-bytes", "schema", "body-agrees-with-path", "reference-resolves"),
    *("reference-stands", "reference-role", "signature-format", "signature-wanted"),
    *("signature-key", "signature-fits"),
)
def new_dataset(bench: Bench) -> Pair:
    return bench.plus(bench.full.sign(bench.full.dataset("ky/other"), by=["ky"]))


@good("readable-tree")
def dataset_in_git(bench: Bench) -> Pair:
    files = bench.full.sign(bench.full.dataset("ky/other"), by=["ky"])
    head = bench.full.tree.with_files(files)
    oids = [write_files(bench.repository, dict(tree.files)) for tree in (bench.full.tree, head)]
    return GitTree(bench.repository, oids[0]), GitTree(bench.repository, oids[1])


def _raw_tree(repository: Repository, entries: list[tuple[bytes, bytes, str]]) -> str:
    """A tree object that `write_tree` would refuse: (mode, name, oid) as they come."""
    payload = b"".join(
        mode + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries
    )
    return repository.write_object(b"tree", payload)


HOSTILE_TREES: Final = (
    *("name-twice", "file-and-folder-of-one-name", "slash-in-name", "dot-git", "dot-dot"),
    *("unsorted", "missing-tree", "missing-blob", "folder-as-file", "commit-as-file"),
    *("no-mode", "padded-mode", "truncated", "too-deep", "too-many"),
)


@bad("readable-tree", *HOSTILE_TREES)
def _hostile_tree(bench: Bench, name: str) -> Pair:
    repository = bench.repository
    blob = repository.write_blob(b"x")
    nowhere = "ab" * 20
    commit = repository.write_commit(repository.write_tree([]), [], "c", ("a", "b"))
    empty = repository.write_tree([TreeEntry("x", FILE_MODE, blob)])
    ky = {
        "name-twice": [(b"100644", b"1.yaml", blob), (b"100644", b"1.yaml", nowhere)],
        "file-and-folder-of-one-name": [
            (b"100644", b"a", blob),
            (b"100644", b"a.b", blob),
            (b"40000", b"a", empty),
        ],
        "slash-in-name": [(b"100644", b"new/1.yaml", blob)],
        "dot-git": [(b"40000", b".GIT", empty)],
        "dot-dot": [(b"40000", b"..", empty)],
        "unsorted": [(b"100644", b"b", blob), (b"100644", b"a", blob)],
        "missing-tree": [(b"40000", b"new", nowhere)],
        "no-mode": [(b"", b"a", blob)],
        "padded-mode": [(b"040000", b"new", empty)],
    }
    below = {
        "missing-blob": (FILE_MODE, nowhere),
        "folder-as-file": (FILE_MODE, empty),
        "commit-as-file": (FILE_MODE, commit),
    }
    if name in below:
        mode, oid = below[name]
        record = repository.write_tree([TreeEntry("1.yaml", mode, oid)])
        oid = repository.write_tree([TreeEntry("new", TREE_MODE, record)])
    elif name == "truncated":
        oid = repository.write_object(b"tree", b"100644 a\0short")
    elif name in ("too-deep", "too-many"):
        oid = empty
        for _ in range(5000 if name == "too-deep" else 30):
            twice = [TreeEntry("a", TREE_MODE, oid), TreeEntry("b", TREE_MODE, oid)]
            oid = repository.write_tree(twice[: 1 if name == "too-deep" else 2])
    else:
        oid = _raw_tree(repository, ky[name])
    return bench.git(lambda _, entry: _put(repository, entry, ("datasets", "zoe"), oid))


def _put(repository: Repository, entry: TreeEntry, path: tuple[str, ...], oid: str) -> TreeEntry:
    """The folder's entry with another folder put at `path` below it."""
    if not path:
        return TreeEntry(entry.name, TREE_MODE, oid)
    inside = dict(repository.folder(entry.oid)) if entry.oid else {}
    below = inside.get(path[0], TreeEntry(path[0], TREE_MODE, ""))
    inside[path[0]] = _put(repository, below, path[1:], oid)
    return TreeEntry(entry.name, TREE_MODE, repository.write_tree(inside.values()))


@bad("only-additions", "edited", "deleted", "signature-deleted", "made-executable")
def _edited(bench: Bench, name: str) -> Pair:
    path = Place("dataset", DATASET, 1).path
    payload = bench.full.tree.files[path][1]
    if name == "edited":
        return bench.moded({path: (FILE_MODE, payload.replace(b"211", b"212"))})
    if name == "made-executable":
        return bench.moded({path: (EXECUTABLE, payload)})
    gone = path if name == "deleted" else Place("dataset", DATASET, 1).signature("ky")
    return bench.moded({}, without=gone)


@bad("regular-files", "executable", "link", "submodule", "group-writable", "odd-folder")
def _not_regular(bench: Bench, name: str) -> Pair:
    modes = {"executable": EXECUTABLE, "link": LINK, "submodule": SUBMODULE}
    modes |= {"group-writable": 0o100664, "odd-folder": 0o040755}
    return bench.moded({"registry/datasets/ky/new/1.yaml": (modes[name], GENESIS.encode())})


@bad("regular-files", "empty-folder-at-a-records-path")
def _empty_folder(bench: Bench) -> Pair:
    empty = bench.repository.write_tree([])
    return bench.git(
        lambda repository, entry: _put(
            repository, entry, ("datasets", "ky", "new", "1.yaml"), empty
        )
    )


ODD_PATHS: Final = (
    *("registry/notes.txt", "registry/root/1.withdrawn.yaml", "registry/root/01.yaml"),
    *("registry/datasets/KY/opt/1.yaml", "registry/datasets/ky/1.yaml", "registry/1.yaml"),
    *("registry/participants/withdrawn/1.yaml", "registry/participants/ky/0.yaml"),
    *("registry/participants/ky/2.yml", "registry/participants/ky/2.yaml.orig"),
    *("registry/participants/k--y/1.yaml", "registry/participants/ky-/1.yaml"),
    *("registry/participants/ky/1000000.yaml", "registry/participants/ké/1.yaml"),
    *("registry/participants/" + "k" * 65 + "/1.yaml", "registry/participants/ky/2.yaml\n"),
    *("registry/datasets/ky/opt/2.ky.new.more.sig", "registry/datasets/ky/opt/2.sig"),
    *("registry/participants/\udcff/1.yaml", "registry/benchmarks/chair/preterm/other/1.yaml"),
    *("registry/datasets/ky/opt/1.yaml ", "registry/datasets/ky/opt/.gitmodules"),
)


@bad("known-paths", *ODD_PATHS)
def _odd_path(bench: Bench, path: str) -> Pair:
    return bench.plus({path: b"anything"})


@good("separate-control-plane", "control-plane-signed")
def control_record_with_its_change(bench: Bench) -> Pair:
    registry = _signed_control()
    readme = {"README.md": b"new", "tools/run.py": b"new"}
    record = registry.control(control_digest(registry.tree.with_files(readme)))
    return bench.plus(readme | registry.sign(record, by=["ada", "amy"]), registry)


@cache
def _signed_control() -> Simulator:
    return begun_registry(control_plane="signed")


@bad("separate-control-plane", "readme", "workflow", "schema")
def _mixed(bench: Bench, name: str) -> Pair:
    paths = {"readme": "README.md", "workflow": ".github/workflows/check.yml"}
    path = paths.get(name, "schemas/dataset.schema.json")
    return bench.plus({path: b"new", **bench.full.sign(bench.full.dataset("ky/other"), by=["ky"])})


@bad("stray-signatures", "beside-an-old-record", "beside-nothing", "too-many")
def _stray(bench: Bench, name: str) -> Pair:
    place = Place("dataset", DATASET, 1)
    if name == "too-many":
        files = bench.full.sign(bench.full.dataset("ky/other"), by=["ky"])
        new = Place("dataset", "ky/other", 1)
        files |= {new.signature("ky", f"k{number}"): b"" for number in range(MAX_SIDECARS)}
        return bench.plus(files)
    if name == "beside-nothing":
        place = Place("dataset", "ky/nothing", 1)
    payload = bench.full.tree.files[Place("dataset", DATASET, 1).path][1]
    return bench.plus({place.signature("ada"): bench.full.signature(place, payload, "ada")})


@bad("next-revision", "a-gap", "a-gap-at-first", "two-at-once", "withdraws-nothing")
def _revision(bench: Bench, name: str) -> Pair:
    registry = bench.full
    if name == "withdraws-nothing":
        record = registry.withdrawal("dataset", DATASET)
        data = {**dump(record), "id": "ky/nothing"}
        data["target"] = {**data["target"], "id": "ky/nothing"}
        place = Place("dataset", "ky/nothing", 1, withdrawn=True)
        return bench.plus(registry.sign_bytes(place, spell(place, data), by=["ky"]))
    if name == "two-at-once":
        two = registry.sign(registry.dataset(), by=["ky"])
        return bench.plus(two | registry.sign(registry.dataset(revision=3), by=["ky"]))
    record_id = DATASET if name == "a-gap" else "ky/new"
    return bench.plus(registry.sign(registry.dataset(record_id, revision=3), by=["ky"]))


# --- 2. bytes ------------------------------------------------------------------------------

RESPELLINGS: Final[dict[str, tuple[bytes, bytes]]] = {
    "comment": (b"cases: 211\n", b"cases: 211 # all\n"),
    "quotes": (b"kind: dataset", b'kind: "dataset"'),
    "integer-form": (b"cases: 211", b"cases: 0211"),
    "crlf": (b"\n", b"\r\n"),
    "no-newline-at-the-end": (b"statistics:\n  cases: 211\n", b"statistics:\n  cases: 211"),
    "two-documents": (b"statistics:", b"---\nstatistics:"),
    "key-twice": (b"kind: dataset\n", b"kind: dataset\nkind: dataset\n"),
    "other-schema": (b"dataset.schema.json", b"model.schema.json"),
    "alias": (b"name: ky/other", b"name: &a ky/other"),
    "byte-order-mark": (b"# yaml", b"\xef\xbb\xbf# yaml"),
    "nothing": (b"", b""),
    "huge": (b"name: ky/other", b"name: " + b"k" * 300_000),
}


@bad("canonical-bytes", *RESPELLINGS)
def _respelled(bench: Bench, name: str) -> Pair:
    registry = bench.full
    record = registry.dataset("ky/other")
    place = place_of(record)
    (old, new) = RESPELLINGS[name]
    payload = registry.sign(record)[place.path]
    changed = payload.replace(old, new) if old else b""
    assert changed != payload
    return bench.plus(registry.sign_bytes(place, changed, by=["ky"]))


UNSCHEMED: Final[dict[str, dict[str, Any]]] = {
    "unknown-field": {"patients": ["Jane Doe"]},
    "wrong-type": {"cases": "many"},
    "no-cases": {"cases": 0},
    "other-kind": {"kind": "model"},
    "text-among-statistics": {"statistics": {"cases": 211, "site": "Lexington"}},
    "two-line-name": {"name": "a\nb"},
    "id-with-newline": {"id": "ky/other\n"},
    "reserved-id": {"id": "ky/models"},
    "traversal": {"id": "ky/../other"},
}


@bad("schema", *UNSCHEMED)
def _off_schema(bench: Bench, name: str) -> Pair:
    registry = bench.full
    place = Place("dataset", "ky/other", 1)
    data = {**dump(registry.dataset("ky/other")), **UNSCHEMED[name]}
    return bench.plus(registry.sign_bytes(place, spell(place, data), by=["ky"]))


@bad("body-agrees-with-path", "other-id", "other-revision", "other-withdrawn-kind")
def _body(bench: Bench, name: str) -> Pair:
    registry = bench.full
    if name == "other-withdrawn-kind":
        # A model of the same name as the dataset; the path withdraws one, the body the other.
        registry = registry.copy()
        registry.merge(registry.sign(registry.model("ky/opt"), by=["ky"]))
        data = dump(registry.withdrawal("model", "ky/opt"))
        place = Place("dataset", "ky/opt", 1, withdrawn=True)
        return bench.plus(registry.sign_bytes(place, spell(place, data), by=["ky"]), registry)
    place = Place("dataset", "ky/other", 1)
    other = {"id": "ky/another"} if name == "other-id" else {"revision": 2}
    data = {**dump(registry.dataset("ky/other")), **other}
    return bench.plus(registry.sign_bytes(place, spell(place, data), by=["ky"]))


@good("genesis")
def the_genesis(bench: Bench) -> Pair:
    empty = Simulator()
    return bench.plus(empty.genesis(), empty)


@bad("genesis", "somebody-else-beside-it", "record-before-it", "mlcube-beside-it")
def _genesis(bench: Bench, name: str) -> Pair:
    empty = Simulator()
    files = empty.genesis()
    begun = empty.ahead(files)
    if name == "somebody-else-beside-it":
        return bench.plus(files | begun.sign(participant_record("eve"), by=["eve", "ada"]), empty)
    if name == "mlcube-beside-it":
        return bench.plus(files | begun.sign(begun.mlcube("ada/x", "metrics"), by=["ada"]), empty)
    return bench.plus(begun.sign(participant_record("eve"), by=["eve"]), empty)


# --- 3. references -------------------------------------------------------------------------


def _wrong(pin: dict[str, Any]) -> dict[str, Any]:
    return {**pin, "sha256": "0" * 64}


@bad("reference-resolves", "policy", "dataset", "withdrawal", "missing-revision", "missing-record")
def _unresolved(bench: Bench, name: str) -> Pair:
    registry = bench.full
    if name == "policy":
        record = registry.policy(benchmark=BENCHMARK)
        data = {**dump(record), "benchmark": _wrong(dump(record)["benchmark"])}
        place = place_of(record)
        return bench.plus(registry.sign_bytes(place, spell(place, data), by=COMMITTEE[:2]))
    if name == "withdrawal":
        pin = registry.pin("dataset", DATASET)
        record = registry.withdrawal("dataset", DATASET, target=_wrong(pin))
        return bench.plus(registry.sign(record, by=["ky"]))
    pin = registry.pin("mlcube", PREPARATION)
    other = {
        "dataset": _wrong(pin),
        "missing-revision": {**pin, "revision": 7},
        "missing-record": {**pin, "id": "chair/nothing"},
    }
    return bench.plus(
        registry.sign(registry.dataset("ky/other", preparation=other[name]), by=["ky"])
    )


@bad("reference-stands", "withdrawn", "superseded", "withdrawn-by-this-request")
def _fallen(bench: Bench, name: str) -> Pair:
    registry = bench.full.copy()
    record = registry.dataset("ky/other")
    if name == "superseded":
        cube = registry.mlcube(PREPARATION, "data-preparation")
        registry.merge(registry.sign(cube, by=["chair"]))
        return bench.plus(registry.sign(record, by=["ky"]), registry)
    gone = registry.sign(registry.withdrawal("mlcube", PREPARATION), by=["chair"])
    if name == "withdrawn":
        registry.merge(gone)
        gone = {}
    return bench.plus(gone | registry.sign(record, by=["ky"]), registry)


@bad("reference-role", "prepared-by-metrics", "measured-by-preparation", "prepared-by-metrics-too")
def _role(bench: Bench, name: str) -> Pair:
    registry = bench.full
    metrics, preparation = registry.pin("mlcube", METRICS), registry.pin("mlcube", PREPARATION)
    if name == "prepared-by-metrics":
        return bench.plus(
            registry.sign(registry.dataset("ky/other", preparation=metrics), by=["ky"])
        )
    swap: dict[str, Any] = {"evaluation_metrics": preparation}
    if name == "prepared-by-metrics-too":
        swap = {"data_preparation": metrics}
    return bench.plus(registry.sign(registry.benchmark(**swap), by=BENCHMARK_SIGNERS))


@good("known-participants")
def new_benchmark(bench: Bench) -> Pair:
    return bench.plus(bench.full.sign(bench.full.benchmark("chair/new"), by=BENCHMARK_SIGNERS))


@bad("known-participants", "ghost", "withdrawn", "registered-here", "ghost-listed", "new-admin")
def _ghost(bench: Bench, name: str) -> Pair:
    registry = bench.full.copy()
    ghost = {"committee": {"members": ["anna", "ben", "ghost"], "threshold": 2}}
    files: Files = {}
    signers = ("chair", "anna", "ben", "ada", "amy")
    if name == "withdrawn":
        ghost["committee"]["members"] = ["anna", "ben", "ms"]
        registry.merge(registry.sign(registry.withdrawal("participant", "ms"), by=["ms"]))
    if name == "registered-here":
        files = registry.sign(participant_record("ghost"), by=["ghost", "ada"])
    if name == "ghost-listed":
        listed = {"mode": "listed", "participants": ["ky", "ghost"]}
        return bench.plus(registry.sign(registry.policy(datasets=listed), by=COMMITTEE[:2]))
    if name == "new-admin":
        files = registry.sign(participant_record("ghost"), by=["ghost", "ada"])
        root = registry.ahead(files).root(["ada", "alan", "ghost"])
        return bench.plus(files | registry.sign(root, by=["ada", "alan"]))
    record = registry.benchmark("chair/new", **ghost)
    return bench.plus(files | registry.sign(record, by=signers), registry)


# --- 4. kinds ------------------------------------------------------------------------------


def _rotated() -> Simulator:
    """The full registry, where ky's first key was superseded by a second one."""
    registry = full_registry()
    keys = key_entry("ky", revoked="superseded"), key_entry("ky", "second")
    record = registry.participant("ky", *keys)
    registry.merge(registry.sign(record, by=["ky"], proofs=["second"]))
    return registry


@good("keys-kept", "public-keys")
def rotation(bench: Bench) -> Pair:
    keys = key_entry("ky", revoked="lost"), key_entry("ky", "second"), key_entry("ky", "third")
    record = bench.full.participant("ky", *keys)
    return bench.plus(bench.full.sign(record, by=["ky"], proofs=["second", "third"]))


@good("keys-kept")
def superseded_key_turns_out_compromised(bench: Bench) -> Pair:
    registry = _rotated()
    keys = key_entry("ky", revoked="compromised"), key_entry("ky", "second")
    return bench.plus(registry.sign(registry.participant("ky", *keys), by=["ky"]), registry)


@bad("keys-kept", "dropped", "renamed", "replaced", "revived", "reason-softened")
def _lost_key(bench: Bench, name: str) -> Pair:
    registry = _rotated()
    second, old = key_entry("ky", "second"), key_entry("ky", revoked="superseded")
    proofs: list[str] = []
    keys = {
        "dropped": [second],
        "renamed": [{**old, "name": "other"}, second],
        "replaced": [{**old, "public_key": key_entry("ky", "x")["public_key"]}, second],
        "revived": [key_entry("ky"), second],
        "reason-softened": [key_entry("ky", revoked="lost"), second],
    }
    record = registry.participant("ky", *keys[name])
    return bench.plus(registry.sign(record, by=["ky"], proofs=proofs), registry)


@bad("keys-kept", "dropped-by-administrators")
def _lost_key_in_recovery(bench: Bench) -> Pair:
    record = bench.full.participant("ky", key_entry("ky", "second"))
    return bench.plus(bench.full.sign(record, by=["ada", "amy"], proofs=["second"]))


WEAK_POINTS: Final[dict[str, str]] = {
    "identity": "01" + "00" * 31,
    "identity-with-sign": "01" + "00" * 30 + "80",
    "order-two": "ec" + "ff" * 30 + "7f",
    "order-four": "00" * 32,
    "order-four-with-sign": "00" * 31 + "80",
    "order-eight": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order-eight-too": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "not-canonical-zero": "ed" + "ff" * 30 + "7f",
    "not-canonical-one": "ee" + "ff" * 30 + "7f",
    "not-canonical-all-ones": "ff" * 32,
}


@bad("public-keys", *WEAK_POINTS)
def _weak(bench: Bench, name: str) -> Pair:
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes.fromhex(WEAK_POINTS[name])
    weak = key_entry("ky", "weak", revoked="lost")
    weak["public_key"] = "ssh-ed25519 " + base64.b64encode(blob).decode()
    record = bench.full.participant("ky", key_entry("ky"), weak)
    return bench.plus(bench.full.sign(record, by=["ky"]))


@bad("control-plane-signed", "no-record", "other-tree", "record-without-change", "too-large")
def _control(bench: Bench, name: str) -> Pair:
    registry = _signed_control()
    readme = {"README.md": b"new"}
    if name == "no-record":
        return bench.plus(readme, registry)
    if name == "record-without-change":
        return bench.plus(registry.sign(registry.control("0" * 64), by=["ada", "amy"]), registry)
    if name == "too-large":
        readme = {"a": b"x" * (32 << 20), "b": b"x" * (32 << 20), "c": b"x"}
        return bench.plus(
            readme | registry.sign(registry.control("0" * 64), by=["ada", "amy"]), registry
        )
    record = registry.control(control_digest(registry.tree.with_files({"README.md": b"old"})))
    return bench.plus(readme | registry.sign(record, by=["ada", "amy"]), registry)


@good("policy-open", "admitted-images", "compatibility-tested")
def association_of_a_model(bench: Bench) -> Pair:
    registry = bench.full.copy()
    registry.merge(registry.sign(registry.model("maker/other"), by=["maker"]))
    record = registry.model_association("maker/other")
    return bench.plus(registry.sign(record, by=["maker", "anna", "chloe"]), registry)


def _under(**policy: Any) -> Simulator:
    """The full registry under another policy."""
    registry = full_registry()
    registry.merge(registry.sign(registry.policy(**policy), by=COMMITTEE[:2]))
    return registry


@bad("policy-open", "closed-to-models", "closed-to-datasets", "closed-to-results", "no-policy")
def _closed(bench: Bench, name: str) -> Pair:
    registry = _under(open=False)
    makers: dict[str, Callable[[], Files]] = {
        "closed-to-models": lambda: registry.sign(
            registry.model_association(), by=["maker", "anna", "ben"]
        ),
        "closed-to-datasets": lambda: registry.sign(
            registry.dataset_association(), by=["ky", "anna", "ben"]
        ),
        "closed-to-results": lambda: registry.sign(registry.result(), by=["ky"]),
    }
    if name != "no-policy":
        return bench.plus(makers[name](), registry)
    registry = full_registry()
    registry.merge(registry.sign(registry.benchmark("chair/new"), by=BENCHMARK_SIGNERS))
    # A policy in the same request does not count: only the base's does.
    policy = registry.sign(registry.policy("chair/new"), by=COMMITTEE[:2])
    record = registry.dataset_association(benchmark="chair/new")
    return bench.plus(policy | registry.sign(record, by=["ky", "anna", "ben"]), registry)


@bad("admitted-images", "association", "result", "result-with-the-reference-model")
def _image(bench: Bench, name: str) -> Pair:
    registry = _under(images=["archive"])
    if name == "association":
        record = registry.model_association()
        return bench.plus(registry.sign(record, by=["maker", "anna", "ben"]), registry)
    model = MODEL if name == "result" else REFERENCE_MODEL
    return bench.plus(registry.sign(registry.result(model=model), by=["ky"]), registry)


@good("prepared-for-benchmark")
def association_of_a_dataset(bench: Bench) -> Pair:
    registry = bench.full.copy()
    registry.merge(registry.sign(registry.dataset("ms/nicu"), by=["ms"]))
    record = registry.dataset_association("ms/nicu")
    return bench.plus(registry.sign(record, by=["ms", "ben", "chloe"]), registry)


@bad("prepared-for-benchmark", "by-another-mlcube", "other-count", "no-count")
def _prepared(bench: Bench, name: str) -> Pair:
    registry = bench.full.copy()
    changes: dict[str, Any] = {"statistics": {} if name == "no-count" else {"cases": 1}}
    if name == "by-another-mlcube":
        registry.merge(registry.sign(registry.mlcube("ms/p", "data-preparation"), by=["ms"]))
        changes = {"preparation": registry.pin("mlcube", "ms/p")}
    registry.merge(registry.sign(registry.dataset("ms/nicu", **changes), by=["ms"]))
    record = registry.dataset_association("ms/nicu")
    return bench.plus(registry.sign(record, by=["ms", "anna", "ben"]), registry)


UNTESTED: Final[dict[str, dict[str, Any]]] = {
    "other-demo-data": {"demo_data": digest("x")},
    "other-model": {"model": digest("x")},
    "no-metrics": {"metrics": []},
    "out-of-range": {"metrics": [{"id": "auroc", "value": 2.0, "low": 0.0, "high": 3.0, "n": 4}]},
}


@bad("compatibility-tested", *UNTESTED)
def _untested(bench: Bench, name: str) -> Pair:
    registry = bench.full
    test = {**passing_test(digest(MODEL)), **UNTESTED[name]}
    record = registry.model_association(compatibility_test=test)
    return bench.plus(registry.sign(record, by=["maker", "anna", "ben"]))


@bad("compatibility-tested", "benchmark-with-another-model", "benchmark-with-other-demo-data")
def _untested_benchmark(bench: Bench, name: str) -> Pair:
    test = passing_test(digest(MODEL if name.endswith("model") else REFERENCE_MODEL))
    if name.endswith("data"):
        test["demo_data"] = digest("x")
    record = bench.full.benchmark(compatibility_test=test)
    return bench.plus(bench.full.sign(record, by=BENCHMARK_SIGNERS))


@good(
    *("associations-agree", "metrics-conform", "enough-cases", "cases-of-dataset", "what-ran"),
    "policy-open",
)
def next_result(bench: Bench) -> Pair:
    return bench.plus(bench.full.sign(bench.full.result(), by=["ky"]))


@good("associations-agree", "what-ran")
def result_of_the_reference_model(bench: Bench) -> Pair:
    return bench.plus(bench.full.sign(bench.full.result(model=REFERENCE_MODEL), by=["ky"]))


@bad(
    "associations-agree",
    "no-association",
    "of-another-model",
    "of-another-dataset",
    "of-another-benchmark",
)
def _disagree(bench: Bench, name: str) -> Pair:
    registry = bench.full.copy()
    if name == "no-association":
        data = dump(registry.result())
        del data["model_association"]
        place = Place("result", data["id"], data["revision"])
        return bench.plus(registry.sign_bytes(place, spell(place, data), by=["ky"]))
    if name == "of-another-model":
        registry.merge(registry.sign(registry.model("maker/other"), by=["maker"]))
        record = registry.model_association("maker/other")
        registry.merge(registry.sign(record, by=["maker", "anna", "ben"]))
        other: dict[str, Any] = {
            "model_association": registry.pin("model-association", record.record_id)
        }
    else:
        benchmark, dataset = (
            ("chair/new", DATASET) if "benchmark" in name else (BENCHMARK, "ky/two")
        )
        if dataset == DATASET:
            registry.merge(registry.sign(registry.benchmark(benchmark), by=BENCHMARK_SIGNERS))
            registry.merge(registry.sign(registry.policy(benchmark), by=COMMITTEE[:2]))
        else:
            registry.merge(registry.sign(registry.dataset(dataset), by=["ky"]))
        record = registry.dataset_association(dataset, benchmark)
        registry.merge(registry.sign(record, by=["ky", "anna", "ben"]))
        other = {"dataset_association": registry.pin("dataset-association", record.record_id)}
    return bench.plus(registry.sign(registry.result(**other), by=["ky"]), registry)


AUROC: Final[dict[str, Any]] = {"id": "auroc", "value": 0.75, "low": 0.7, "high": 0.8, "n": 200}
DENOMINATOR: Final = {"cases": 211, "evaluated": 200, "failed": 1, "excluded": 10}


def _without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in AUROC.items() if name not in names}


BAD_RESULTS: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "metrics-conform": {
        "undeclared": {"metrics": [AUROC, {**AUROC, "id": "age_of_patient_7"}]},
        "twice": {"metrics": [AUROC, AUROC]},
        "out-of-range": {"metrics": [{**AUROC, "value": 1.5, "high": 2.0}]},
        "no-interval": {"metrics": [_without("low", "high")]},
        "half-an-interval": {"metrics": [_without("low")]},
        "outside-its-interval": {"metrics": [{**AUROC, "value": 0.9}]},
    },
    "enough-cases": {
        "too-few": {
            "metrics": [{**AUROC, "n": 19}],
            "denominator": {"cases": 211, "evaluated": 19, "failed": 192, "excluded": 0},
        },
        "a-metric-on-none": {"metrics": [{**AUROC, "n": 0}]},
    },
    "cases-of-dataset": {
        "some-left-out": {"denominator": {**DENOMINATOR, "cases": 210, "excluded": 9}},
        "metric-on-more": {"metrics": [{**AUROC, "n": 201}]},
    },
}


def _register_results() -> Iterator[Case]:
    for rule, cases in BAD_RESULTS.items():
        for name, changes in cases.items():

            def build(bench: Bench, changes: dict[str, Any] = changes) -> Pair:
                return bench.plus(bench.full.sign(bench.full.result(**changes), by=["ky"]))

            yield Case(rule, name, build)


CASES.extend(_register_results())


@bad(
    "what-ran",
    "other-image",
    "other-image-type",
    "labels-first",
    "no-evaluation",
    "no-commit",
    "other-files",
)
def _ran(bench: Bench, name: str) -> Pair:
    data = dump(bench.full.result())
    steps = data["execution"]["steps"]
    if name == "other-image":
        steps[0]["image"] = digest("x")
    elif name == "other-image-type":
        steps[0]["image_type"] = "source"
    elif name == "labels-first":
        steps.reverse()
    elif name == "no-evaluation":
        del steps[1]
    elif name == "other-files":
        steps[0]["additional_files"] = [digest("x")]
    else:
        del data["execution"]["registry_commit"]
    place = Place("result", data["id"], data["revision"])
    return bench.plus(bench.full.sign_bytes(place, spell(place, data), by=["ky"]))


# --- 5. signatures -------------------------------------------------------------------------


def _with_signature(bench: Bench, signature: bytes) -> Pair:
    record = bench.full.dataset("ky/other")
    return bench.plus({**bench.full.sign(record), place_of(record).signature("ky"): signature})


@bad("signature-format", "nothing", "text", "trailing", "leading", "no-newline", "crlf", "large")
def _malformed(bench: Bench, name: str) -> Pair:
    record = bench.full.dataset("ky/other")
    right = bench.full.sign(record, by=["ky"])[place_of(record).signature("ky")]
    wrong = {
        "nothing": b"",
        "text": b"approved, ky\n",
        "trailing": right + b"\n",
        "leading": b"\n" + right,
        "no-newline": right[:-1],
        "crlf": right.replace(b"\n", b"\r\n"),
        "large": right + b"x" * 5000,
    }
    return _with_signature(bench, wrong[name])


@bad("signature-format", "missing-object")
def _missing_signature(bench: Bench) -> Pair:
    record = bench.full.dataset("ky/other")
    payload = bench.full.sign(record)[place_of(record).path]
    repository = bench.repository
    signature = TreeEntry("1.ky.sig", FILE_MODE, "ab" * 20)
    entries = [TreeEntry("1.yaml", FILE_MODE, repository.write_blob(payload)), signature]
    folder = repository.write_tree(entries)
    return bench.git(lambda _, e: _put(repository, e, ("datasets", "ky", "other"), folder))


@bad("signature-wanted", "bystander", "administrator", "further-key", "no-new-key")
def _unasked(bench: Bench, name: str) -> Pair:
    registry = bench.full
    if name in ("bystander", "administrator"):
        who = "ms" if name == "bystander" else "ada"
        return bench.plus(registry.sign(registry.dataset("ky/other"), by=["ky", who]))
    if name == "further-key":
        record = registry.dataset("ky/other")
        files = registry.sign(record, by=["ky"])
        place = place_of(record)
        own = registry.signature(place, files[place.path], "ky")
        return bench.plus({**files, place.signature("ky", "first"): own})
    record = registry.participant("ky", key_entry("ky"), name="Kentucky")
    return bench.plus(registry.sign(record, by=["ky"], proofs=["first"]))


@bad("signature-key", "anothers", "unknown", "revoked", "new-in-this-request", "anothers-proof")
def _wrong_key(bench: Bench, name: str) -> Pair:
    registry = _rotated() if name == "revoked" else bench.full
    record = registry.dataset("ky/other")
    place = place_of(record)
    files = registry.sign(record)
    payload = files[place.path]
    keys = {"anothers": ("ms", "first"), "unknown": ("ky", "x"), "revoked": ("ky", "first")}
    if name in keys:
        person, key = keys[name]
        signature = registry.signature(place, payload, person, key)
        return bench.plus({**files, place.signature("ky"): signature}, registry)
    rotated = registry.participant("ky", key_entry("ky"), key_entry("ky", "second"))
    if name == "new-in-this-request":
        rotation = registry.sign(rotated, by=["ky"], proofs=["second"])
        return bench.plus(rotation | registry.sign(record, by=["ky:second"]))
    place = place_of(rotated)
    files = registry.sign(rotated, by=["ky"])
    proof = registry.signature(place, files[place.path], "ky", "first")
    return bench.plus({**files, place.signature("ky", "second"): proof})


@bad("signature-fits", "other-bytes", "other-registry", "other-kind", "no-registry", "sha512-of-it")
def _unfit(bench: Bench, name: str) -> Pair:
    registry = bench.full
    record = registry.dataset("ky/other")
    place = place_of(record)
    payload = registry.sign(record)[place.path]
    identity = registry.snapshot.identity[:32]
    namespaces = {
        "other-registry": "mpgit-dataset-v1@" + "0" * 32,
        "other-kind": f"mpgit-result-v1@{identity}",
        "no-registry": "mpgit-dataset-v1",
        "sha512-of-it": "file",
    }
    if name == "other-bytes":
        return _with_signature(bench, registry.signature(place, payload + b"\n", "ky"))
    return _with_signature(
        bench, registry.signature(place, payload, "ky", namespace=namespaces[name])
    )


@good("one-key-one-person")
def registration(bench: Bench) -> Pair:
    return bench.plus(bench.full.sign(participant_record("twin"), by=["twin", "ada"]))


@bad("one-key-one-person", "administrator-twice")
def _twin(bench: Bench) -> Pair:
    """An administrator registers herself once more, with the same key."""
    entry = {**key_entry("ada"), "name": "first"}
    record = participant_record("twin", entry)
    place = place_of(record)
    files = bench.full.sign(record, by=["ada"])
    own = bench.full.signature(place, files[place.path], "ada")
    return bench.plus({**files, place.signature("twin"): own})
