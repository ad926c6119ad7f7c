"""tools/verify.sh, which needs git and ssh-keygen alone, agrees with `mpgit audit --tree`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from medperf_git.git.objects import FILE_MODE
from medperf_git.records.base import Record
from medperf_git.store.paths import GENESIS
from medperf_git.trust import sshsig
from medperf_git.vcs import Repository
from tests.support.in_git import write_files
from tests.support.readers import VERIFY, by_mpgit, by_script
from tests.support.simulator import (
    ADMINISTRATORS,
    BENCHMARK,
    BENCHMARK_SIGNERS,
    COMMITTEE,
    DATASET,
    MODEL,
    Files,
    Simulator,
    full_registry,
    key_entry,
    participant_record,
    private_key,
)

RESULT_FOLDER = f"registry/results/{BENCHMARK}/{DATASET}/{MODEL}"
ASSOCIATION_FOLDER = f"registry/benchmarks/{BENCHMARK}/datasets/{DATASET}"
BENCHMARK_FOLDER = f"registry/benchmarks/{BENCHMARK}"


@cache
def _grown() -> Simulator:
    """A registry with every kind of record and every way to authorise one; built once."""
    registry = full_registry()

    def merge(record: Record, *by: str, proofs: tuple[str, ...] = ()) -> None:
        registry.merge(registry.sign(record, by=by, proofs=proofs))

    # Rotation, recovery by the administrators, and one who registers with two keys.
    keys = (key_entry("ky", revoked="superseded"), key_entry("ky", "second"))
    merge(registry.participant("ky", *keys), "ky:first", proofs=("second",))
    keys = (key_entry("ms", revoked="lost"), key_entry("ms", "second"))
    merge(registry.participant("ms", *keys), "ada", "amy", proofs=("second",))
    merge(
        participant_record("two-keys", key_entry("two-keys"), key_entry("two-keys", "second")),
        *("two-keys:first", "ada"),
        proofs=("second",),
    )
    # Roots: another threshold, other administrators.
    merge(registry.root(threshold=3), *ADMINISTRATORS)
    merge(registry.root((*ADMINISTRATORS, "ben")), *ADMINISTRATORS)
    # Policies: admitted in advance, and results that the committee approves.
    listed = {"mode": "listed", "participants": ["ms"]}
    merge(registry.policy(datasets=listed, models={"mode": "auto"}), *COMMITTEE[1:])
    merge(registry.dataset("ms/clinic"), "ms:second")
    merge(registry.dataset_association("ms/clinic"), "ms:second")
    merge(registry.model("maker/other"), "maker")
    merge(registry.model_association("maker/other"), "maker")
    merge(registry.policy(results="approve"), *COMMITTEE[:2])
    merge(registry.result("ms/clinic", "maker/other"), "ms:second", *COMMITTEE[:2])
    merge(registry.result(), "ky:second", *COMMITTEE)
    # Withdrawals by the owner, the committee and the administrators.
    merge(registry.withdrawal("result", f"{BENCHMARK}/{DATASET}/{MODEL}"), "ky:second")
    merge(registry.withdrawal("model-association", f"{BENCHMARK}/maker/other"), *COMMITTEE[:2])
    merge(registry.withdrawal("model", "maker/other"), *ADMINISTRATORS)
    # A second benchmark revision under the first one's committee.
    committee = {"members": ["ben", "chloe"], "threshold": 2}
    merge(registry.benchmark(committee=committee), *BENCHMARK_SIGNERS, "amy")
    return registry


@cache
def _open() -> Simulator:
    """A registry that newcomers and benchmarks need no administrator for."""
    registry = full_registry()
    root = registry.root(registration="open", benchmarks="open")
    registry.merge(registry.sign(root, by=ADMINISTRATORS))
    registry.merge(registry.sign(participant_record("newcomer"), by=["newcomer"]))
    registry.merge(registry.sign(registry.benchmark(), by=["chair", *COMMITTEE[:2]]))
    registry.merge(registry.sign(registry.withdrawal("participant", "newcomer"), by=["newcomer"]))
    return registry


def files_of(registry: Simulator) -> Files:
    return {path: payload for path, (_, payload) in registry.tree.files.items()}


def place(folder: Path, files: Files, modes: dict[str, int] | None = None) -> Path:
    """The files as main of a bare repository."""
    path = folder / "registry.git"
    with Repository.create(path) as repository:
        whole = {
            name: ((modes or {}).get(name, FILE_MODE), payload) for name, payload in files.items()
        }
        oid = write_files(repository, whole)
        commit = repository.write_commit(oid, [], "All at once", ("a", "a@example"))
        repository.set_ref("refs/heads/main", commit)
    return path


def flip(files: Files, path: str, at: int = -3) -> Files:
    payload = bytearray(files[path])
    payload[at] ^= 1
    return {**files, path: bytes(payload)}


def without(files: Files, *paths: str) -> Files:
    assert set(paths) <= set(files)
    return {path: payload for path, payload in files.items() if path not in paths}


def resigned(
    files: Files, record: str, signer: str, by: str, key: str = "first", space: str = ""
) -> Files:
    """The files with one signature made anew, by another key or for another namespace."""
    kind = files[record].split(b"\nkind: ")[1].split(b"\n")[0].decode()
    identity = _grown().snapshot.identity[:32]
    namespace = space or f"mpgit-{kind}-v1@{identity}"
    signature = sshsig.sign(files[record], namespace, private_key(by, key))
    return {**files, record.replace(".yaml", f".{signer}.sig"): signature}


def forged(files: Files, old: bytes, new: bytes, path: str, *signers: str) -> Files:
    """The files with a record rewritten, and signed by these with their second or first key."""
    assert old in files[path], old
    files = {**files, path: files[path].replace(old, new)}
    for signer in signers:
        key = "second" if signer in ("ky", "ms") else "first"
        files = resigned(files, path, signer, signer, key)
    return files


Tamper = Callable[[Files], Files]


def added(make: Callable[[Simulator], Record], *by: str, proofs: tuple[str, ...] = ()) -> Tamper:
    """Adds a record that nobody judged to the grown registry."""
    return lambda files: {**files, **_grown().sign(make(_grown()), by=by, proofs=proofs)}


RESULT_2 = f"{RESULT_FOLDER}/2.yaml"
ANNA = f"{ASSOCIATION_FOLDER}/1.anna.sig"
CHAIR = "registry/models/chair/baseline/1"

TAMPERED: dict[str, Tamper] = {
    "a byte of a record": lambda f: flip(f, RESULT_2),
    "a byte of a participant": lambda f: flip(f, "registry/participants/chair/1.yaml"),
    "a byte of the genesis": lambda f: flip(f, GENESIS),
    "a byte of a signature": lambda f: flip(f, ANNA, 150),
    "a byte of the armour's end": lambda f: flip(f, ANNA),
    "the armour's newline": lambda f: {**f, ANNA: f[ANNA][:-1]},
    "something behind a signature": lambda f: {**f, ANNA: f[ANNA] + b"\n"},
    "something before a signature": lambda f: {**f, ANNA: b"\n" + f[ANNA]},
    "a signature in lines of 76": lambda f: {**f, ANNA: rewrapped(f[ANNA])},
    "no signature": lambda f: without(f, f"{CHAIR}.chair.sig"),
    "one of the committee": lambda f: without(f, ANNA),
    "one of the administrators": lambda f: without(f, "registry/root/2.alan.sig"),
    "a newcomer without an administrator": lambda f: without(
        f, "registry/participants/chair/1.ada.sig"
    ),
    "a newcomer without its own": lambda f: without(f, "registry/participants/chair/1.chair.sig"),
    "a result without its owner": lambda f: without(f, f"{RESULT_FOLDER}/2.ky.sig"),
    "a benchmark without its committee": lambda f: without(
        f, *[f"{BENCHMARK_FOLDER}/1.{name}.sig" for name in COMMITTEE[:2]]
    ),
    "a benchmark with its own new committee": lambda f: without(
        f, f"{BENCHMARK_FOLDER}/2.anna.sig"
    ),
    "a policy with one of two": lambda f: without(f, f"{BENCHMARK_FOLDER}/policy/1.ben.sig"),
    "a withdrawal by nobody": lambda f: without(f, f"{RESULT_FOLDER}/2.withdrawn.ky.sig"),
    "a foreign key": lambda f: resigned(f, f"{CHAIR}.yaml", "chair", "stranger"),
    "another participant's key": lambda f: resigned(f, f"{CHAIR}.yaml", "chair", "anna"),
    "a signature under another name": lambda f: resigned(f, f"{CHAIR}.yaml", "anna", "chair"),
    "another kind's namespace": lambda f: resigned(
        f, f"{CHAIR}.yaml", "chair", "chair", space=f"mpgit-mlcube-v1@{'0' * 32}"
    ),
    "another registry's namespace": lambda f: resigned(
        f, f"{CHAIR}.yaml", "chair", "chair", space=f"mpgit-model-v1@{'0' * 32}"
    ),
    "the genesis's namespace": lambda f: resigned(
        f, "registry/root/2.yaml", "ada", "ada", space="mpgit-root-v1"
    ),
    "a pin of other bytes": lambda f: repinned(f, RESULT_2),
    "a pin of another revision": lambda f: forged(
        f,
        b"model:\n  id: maker/net\n  revision: 1",
        b"model:\n  id: maker/net\n  revision: 2",
        RESULT_2,
        "ky",
        *COMMITTEE,
    ),
    "a pin of something missing": lambda f: without(
        f, "registry/models/maker/other/1.yaml", "registry/models/maker/other/1.maker.sig"
    ),
    "a body of another record": lambda f: forged(
        f, b"id: maker/net\n", b"id: maker/nut\n", "registry/models/maker/net/1.yaml", "maker"
    ),
    "a body of another kind": lambda f: forged(
        f, b"kind: model\n", b"kind: mlcube\n", "registry/models/maker/net/1.yaml", "maker"
    ),
    "a record at another's place": lambda f: {
        **f,
        "registry/models/maker/copy/1.yaml": f["registry/models/maker/net/1.yaml"],
        "registry/models/maker/copy/1.maker.sig": f["registry/models/maker/net/1.maker.sig"],
    },
    "a comment": lambda f: forged(
        f, b"network: none\n", b"network: none # yes\n", "registry/models/maker/net/1.yaml", "maker"
    ),
    "a key twice": lambda f: forged(
        f,
        b"kind: model\n",
        b"kind: model\nkind: model\n",
        "registry/models/maker/net/1.yaml",
        "maker",
    ),
    "an anchor": lambda f: forged(
        f, b"network: none\n", b"network: &a none\n", "registry/models/maker/net/1.yaml", "maker"
    ),
    "a tab": lambda f: forged(
        f, b"network: none\n", b"network:\tnone\n", "registry/models/maker/net/1.yaml", "maker"
    ),
    "a stray file": lambda f: {**f, "registry/README.md": b"hello\n"},
    "an upper-case path": lambda f: {
        **f,
        "registry/models/maker/NET/1.yaml": f["registry/models/maker/net/1.yaml"],
    },
    "a path with a line break": lambda f: {**f, "registry/models/maker/a\nb/1.yaml": b"x\n"},
    "an id too long": lambda f: {**f, f"registry/models/maker/{'a' * 65}/1.yaml": b"x\n"},
    "a signature of nothing": lambda f: {**f, "registry/models/maker/net/2.maker.sig": f[ANNA]},
    "an empty record": lambda f: {**f, "registry/models/maker/net/2.yaml": b""},
    "an empty signature": lambda f: {**f, ANNA: b""},
    "a huge signature": lambda f: {**f, ANNA: f[ANNA] + b"A" * 5000},
    "a compromised key": added(
        lambda grown: grown.participant(
            "maker", key_entry("maker", revoked="compromised"), key_entry("maker", "second")
        ),
        *("ada", "amy", "alan"),
        proofs=("second",),
    ),
    "a withdrawal of a policy by the owner": added(
        lambda grown: grown.withdrawal("policy", BENCHMARK), "chair"
    ),
    "a benchmark by its owner alone": added(Simulator.benchmark, "chair"),
    "a control record by one": added(lambda grown: grown.control("0" * 64), "ada"),
    "no registry": lambda f: without(f, *f),
    "a new key that only its own revision lists": added(
        lambda grown: grown.participant("maker", key_entry("maker"), key_entry("maker", "evil")),
        "maker:evil",
        proofs=("evil",),
    ),
    "a new key without a proof": lambda f: without(f, "registry/participants/ky/2.ky.second.sig"),
    "a second key at registration without a proof": lambda f: without(
        f, "registry/participants/two-keys/1.two-keys.second.sig"
    ),
    "a root signed under the first root's threshold": lambda f: without(
        f, "registry/root/3.amy.sig"
    ),
    "a missing revision": lambda f: without(
        f, *[path for path in f if path.startswith("registry/participants/ms/1.")]
    ),
    "one key of two people": lambda f: resigned(
        resigned(
            {**f, **_grown().sign(participant_record("twin", key_entry("anna")), by=["ada"])},
            *("registry/participants/twin/1.yaml", "twin", "anna"),
        ),
        *(f"{ASSOCIATION_FOLDER}/1.yaml", "twin", "anna"),
    ),
    "a withdrawal that names another kind": lambda f: {
        **f,
        **{
            path.replace("/chair/preterm/", "/chair/preterm/policy/"): payload
            for path, payload in _grown()
            .sign(_grown().withdrawal("benchmark", BENCHMARK), by=["chair"])
            .items()
        },
    },
    "a result that rests on no association": lambda f: forged(
        f, b"dataset_association:\n", b"dataset_associatiun:\n", RESULT_2, "ky", *COMMITTEE
    ),
}
"""One defect each; both readers refuse."""


def rewrapped(signature: bytes) -> bytes:
    first, *body, last, _ = signature.split(b"\n")
    text = b"".join(body)
    lines = [text[at : at + 76] for at in range(0, len(text), 76)]
    return b"\n".join([first, *lines, last, b""])


def repinned(files: Files, path: str) -> Files:
    digest = files[path].split(b"sha256: ")[1].split(b"\n")[0]
    return forged(files, digest, b'"' + b"0" * 64 + b'"', path, "ky", *COMMITTEE)


@pytest.mark.parametrize("build_registry", [full_registry, _grown, _open])
def test_a_good_registry_is_accepted(
    tmp_path: Path, build_registry: Callable[[], Simulator]
) -> None:
    registry = build_registry()
    path = place(tmp_path, files_of(registry))
    identity = registry.snapshot.identity
    assert by_mpgit(path, identity)
    assert by_script(path, identity) == (True, "ACCEPTED\n")
    assert by_script(path) == (True, "ACCEPTED\n")


def test_the_reference_registry_is_accepted(tmp_path: Path) -> None:
    top = VERIFY.parent.parent
    files = {
        str(path.relative_to(top)): path.read_bytes()
        for path in (top / "registry").rglob("*")
        if path.is_file()
    }
    facts = json.loads((top / "examples" / "preterm" / "reference.json").read_text())
    assert by_script(place(tmp_path, files), facts["genesis"]) == (True, "ACCEPTED\n")


def test_another_genesis_is_refused(tmp_path: Path) -> None:
    path = place(tmp_path, files_of(full_registry()))
    good, said = by_script(path, "0" * 64)
    assert not good
    assert GENESIS in said


@pytest.mark.parametrize("name", TAMPERED)
def test_both_refuse(tmp_path: Path, name: str) -> None:
    path = place(tmp_path, TAMPERED[name](files_of(_grown())))
    genesis = None if name == "a byte of the genesis" else _grown().snapshot.identity
    assert not by_mpgit(path, genesis)
    good, said = by_script(path)
    assert not good, said
    assert said.startswith(("FAIL registry/", 'FAIL "registry/')), said
