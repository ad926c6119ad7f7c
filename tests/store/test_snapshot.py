"""A registry at one moment: identity, revisions, what stands, pins."""

from __future__ import annotations

from pathlib import Path

import pytest

from medperf_git.canonical.digest import sha256_hex
from medperf_git.errors import CanonicalError, RecordError, RegistryError
from medperf_git.git.objects import FILE_MODE
from medperf_git.records.base import Pin
from medperf_git.records.kinds import KINDS
from medperf_git.store import snapshot as module
from medperf_git.store.paths import GENESIS, Place, SignaturePlace
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import GitTree, MemoryTree
from medperf_git.vcs import Repository
from tests.support.in_git import export
from tests.support.simulator import (
    BENCHMARK,
    BENCHMARK_SIGNERS,
    DATASET,
    PEOPLE,
    RESULT,
    digest,
    full_registry,
    key_entry,
    participant_record,
)


def test_identity_is_the_digest_of_the_genesis() -> None:
    snapshot = full_registry().snapshot
    assert snapshot.identity == sha256_hex(snapshot.payload(GENESIS) or b"")
    assert snapshot.namespace(Place("root", "root", 1)) == "mpgit-root-v1"
    dataset = Place("dataset", DATASET, 1)
    assert snapshot.namespace(dataset) == f"mpgit-dataset-v1@{snapshot.identity[:32]}"
    assert snapshot.namespace(dataset.withdrawal).startswith("mpgit-withdrawal-v1@")


@pytest.mark.parametrize("mode", [0o100755, 0o120000])
def test_no_registry(mode: int) -> None:
    payload = full_registry().snapshot.payload(GENESIS) or b""
    for tree in (MemoryTree({}), MemoryTree({GENESIS: (mode, payload)})):
        snapshot = Snapshot(tree)
        assert not snapshot.exists
        assert snapshot.root() is None
        with pytest.raises(RegistryError) as caught:
            _ = snapshot.identity
        assert caught.value.code == "no-registry"
    folder = Snapshot(MemoryTree({f"{GENESIS}/1.yaml": (FILE_MODE, b"")}))
    assert not folder.exists


def test_a_huge_genesis_is_not_read() -> None:
    snapshot = Snapshot(MemoryTree({GENESIS: (FILE_MODE, b"x" * 300_000)}))
    with pytest.raises(CanonicalError):
        _ = snapshot.identity


def test_every_kind_is_found_and_read() -> None:
    snapshot = full_registry().snapshot
    listed = {kind: list(snapshot.places(kind)) for kind in KINDS if kind != "withdrawal"}
    assert {kind for kind, places in listed.items() if not places} == {"control"}
    assert {place.id for place in listed["participant"]} == set(PEOPLE)
    for kind, places in listed.items():
        for place in places:
            loaded = snapshot.load(place)
            assert (place.kind, loaded.place, loaded.sha256) == (
                kind,
                place,
                sha256_hex(loaded.payload),
            )
            assert snapshot.resolve(kind, loaded.pin).record == loaded.record
    assert not [path for path, place in snapshot.everything() if place is None]


def test_what_stands() -> None:
    registry = full_registry()
    registry.merge(registry.sign(registry.dataset(), by=["ky"]))
    registry.merge(registry.sign(registry.dataset(), by=["ky"]))
    snapshot = registry.snapshot
    first, second, third = snapshot.revisions("dataset", DATASET)
    assert snapshot.standing("dataset", DATASET) == third
    assert not snapshot.stands(second)
    registry.merge(registry.sign(registry.withdrawal("dataset", DATASET), by=["ky"]))
    snapshot = registry.snapshot
    assert snapshot.standing("dataset", DATASET) == second
    assert snapshot.newest("dataset", DATASET) == third
    assert snapshot.is_withdrawn(third)
    assert list(snapshot.standing_places("dataset")) == [second]
    assert list(snapshot.places("dataset")) == [first, second, third]


def test_revisions_are_numbers_not_names() -> None:
    files = {f"registry/datasets/ky/opt/{n}.yaml": (FILE_MODE, b"") for n in (2, 10, 9, 1)}
    snapshot = Snapshot(MemoryTree(files))
    assert [place.revision for place in snapshot.revisions("dataset", "ky/opt")] == [1, 2, 9, 10]


def test_a_withdrawn_participant_has_no_older_self() -> None:
    registry = full_registry()
    keys = key_entry("ky", revoked="lost"), key_entry("ky", "second")
    registry.merge(registry.sign(registry.participant("ky", *keys), by=["ky"], proofs=["second"]))
    registry.merge(registry.sign(registry.withdrawal("participant", "ky"), by=["ky"]))
    assert registry.snapshot.participant("ky") is None


def test_a_committee_outlives_its_benchmark() -> None:
    registry = full_registry()
    committee = {"members": ["ky", "ms"], "threshold": 2}
    registry.merge(registry.sign(registry.benchmark(committee=committee), by=BENCHMARK_SIGNERS))
    registry.merge(registry.sign(registry.withdrawal("benchmark", BENCHMARK), by=["chair"]))
    snapshot = registry.snapshot
    standing, deciding = snapshot.benchmark(BENCHMARK), snapshot.committee(BENCHMARK)
    assert standing is not None
    assert standing.revision == 1
    assert deciding is not None
    assert deciding.members == ("ky", "ms")
    assert snapshot.committee("chair/nothing") is None


def test_a_pin_names_bytes() -> None:
    snapshot = full_registry().snapshot
    pin = Pin(id=DATASET, revision=1, sha256=digest("x"))
    with pytest.raises(RegistryError) as caught:
        snapshot.resolve("dataset", pin)
    assert caught.value.code == "pin-digest"
    with pytest.raises(RegistryError) as caught:
        snapshot.resolve("dataset", pin.model_copy(update={"revision": 2}))
    assert caught.value.code == "no-record"


@pytest.mark.parametrize(
    ("payload", "error"),
    [(b"", CanonicalError), (b"x" * 300_000, CanonicalError), (b"# x\nkind: y\n", CanonicalError)],
)
def test_what_can_not_be_read_names_its_file(payload: bytes, error: type[Exception]) -> None:
    place = Place("dataset", DATASET, 2)
    snapshot = Snapshot(full_registry().tree.with_files({place.path: payload}))
    with pytest.raises(error) as caught:
        snapshot.load(place)
    assert str(getattr(caught.value, "place", "")).startswith(place.path)


def test_a_record_under_another_kinds_path_is_refused() -> None:
    registry = full_registry()
    payload = registry.snapshot.payload(Place("model", "maker/net", 1).path) or b""
    place = Place("dataset", "maker/net", 1)
    with pytest.raises((CanonicalError, RecordError)):
        Snapshot(registry.tree.with_files({place.path: payload})).load(place)


def test_signatures_beside_a_record() -> None:
    snapshot = full_registry().snapshot
    place = Place("benchmark", BENCHMARK, 1)
    found = snapshot.signatures(place)
    assert found == [SignaturePlace(place, signer) for signer in sorted(BENCHMARK_SIGNERS)]
    assert snapshot.signatures(Place("result", RESULT, 2)) == []


def test_git_and_memory_hold_one_registry(tmp_path: Path) -> None:
    registry = full_registry()
    with Repository.create(tmp_path / "r.git") as repository:
        commits = export(registry, repository)
        assert len(commits) == len(registry.history)
        oid = repository.commit(commits[-1]).tree
        snapshot = Snapshot(GitTree(repository, oid), commits[-1])
        assert snapshot.identity == registry.snapshot.identity
        assert list(snapshot.everything()) == list(registry.snapshot.everything())
        assert snapshot.policy(BENCHMARK) == registry.snapshot.policy(BENCHMARK)


def test_large_records_do_not_stay_in_memory() -> None:
    registry = full_registry()
    record = participant_record("new", description="x" * 8000)
    many = [key_entry("new", f"key-{n}") for n in range(50)]
    large = participant_record("new", *many, description="ä" * 8000)
    module._decode_cached.cache_clear()
    for made, cached in ((record, 1), (large, 1)):
        files = registry.sign(made)
        place = Place("participant", "new", 1)
        Snapshot(MemoryTree({}).with_files(files)).load(place)
        assert module._decode_cached.cache_info().currsize == cached
