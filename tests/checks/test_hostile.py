"""Hostile heads: no mutation of a valid request passes, and nothing makes the check raise."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medperf_git.checks.check import check
from medperf_git.errors import CanonicalError, GitError
from medperf_git.git.objects import FILE_MODE, TREE_MODE, TreeEntry
from medperf_git.records.base import Record
from medperf_git.records.codec import dump
from medperf_git.store.paths import GENESIS, Place
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import GitTree, MemoryTree
from medperf_git.vcs import Repository
from tests.support.in_git import write_files
from tests.support.simulator import (
    BENCHMARK_SIGNERS,
    COMMITTEE,
    DATASET,
    METRICS,
    Files,
    Simulator,
    full_registry,
    key_entry,
    participant_record,
    place_of,
    spell,
)

REQUESTS: Final[dict[str, tuple[Callable[[Simulator], Record], list[str], list[str]]]] = {
    "dataset": (lambda r: r.dataset("ky/other"), ["ky"], []),
    "model": (lambda r: r.model(), ["maker"], []),
    "mlcube": (lambda r: r.mlcube(METRICS, "metrics"), ["chair"], []),
    "benchmark": (lambda r: r.benchmark(), list(BENCHMARK_SIGNERS), []),
    "policy": (lambda r: r.policy(), list(COMMITTEE[:2]), []),
    "model-association": (lambda r: r.model_association(), ["maker", *COMMITTEE[:2]], []),
    "dataset-association": (lambda r: r.dataset_association(), ["ky", *COMMITTEE[:2]], []),
    "result": (lambda r: r.result(), ["ky"], []),
    "withdrawal": (lambda r: r.withdrawal("dataset", DATASET), ["ky"], []),
    "root": (lambda r: r.root(name="New name"), ["ada", "amy"], []),
    "registration": (
        lambda _: participant_record("new", key_entry("new"), key_entry("new", "second")),
        ["new", "ada"],
        ["second"],
    ),
    "rotation": (
        lambda r: r.participant("ky", key_entry("ky"), key_entry("ky", "second")),
        ["ky"],
        ["second"],
    ),
}


@cache
def request_of(name: str) -> Files:
    make, by, proofs = REQUESTS[name]
    registry = full_registry()
    return registry.sign(make(registry), by=by, proofs=proofs)


@pytest.mark.parametrize("name", REQUESTS)
def test_the_requests_are_complete(name: str) -> None:
    assert full_registry().check(request_of(name)).verdict == "complete"


Modes = dict[str, tuple[int, bytes]]
MODES = (0o100755, 0o120000, 0o160000, 0o100664, 0o040755)
SEGMENTS = (
    *("registry", "root", "participants", "datasets", "benchmarks", "results", "ky", "opt"),
    *("1.yaml", "2.yaml", "1.ky.sig", "2.ky.sig", "1.withdrawn.yaml", "policy", "x", "README.md"),
)
odd_paths = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=6).map("/".join)


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, Modes]:
    """A valid request with one thing changed."""
    name = draw(st.sampled_from(sorted(REQUESTS)))
    files: Modes = {path: (FILE_MODE, data) for path, data in request_of(name).items()}
    path = draw(st.sampled_from(sorted(files)))
    mode, payload = files[path]
    how = draw(st.sampled_from(["flip", "cut", "insert", "rename", "mode", "drop", "add", "swap"]))
    at = draw(st.integers(0, len(payload) - 1))
    if how == "flip":
        change = bytes([payload[at] ^ draw(st.integers(1, 255))])
        files[path] = mode, payload[:at] + change + payload[at + 1 :]
    elif how == "cut":
        files[path] = mode, payload[:at]
    elif how == "insert":
        extra = draw(st.binary(min_size=1, max_size=5))
        files[path] = mode, payload[:at] + extra + payload[at:]
    elif how == "rename":
        new = draw(odd_paths.filter(lambda new: new != path))
        files[new] = files.pop(path)
    elif how == "mode":
        files[path] = draw(st.sampled_from(MODES)), payload
    elif how == "drop":
        del files[path]
    elif how == "add":
        held = full_registry().tree.files
        new = draw(odd_paths.filter(lambda new: new not in files and new not in held))
        files[new] = FILE_MODE, draw(st.sampled_from([b"", payload]))
    else:
        other = draw(st.sampled_from(sorted(set(REQUESTS) - {name})))
        files[path] = mode, next(iter(request_of(other).values()))
    return how, files


@settings(max_examples=400)
@given(mutations())
def test_no_mutation_of_a_request_is_complete(mutation: tuple[str, Modes]) -> None:
    _, files = mutation
    base = full_registry().tree
    folders = {path.rpartition("/")[0] for path in base.files}
    paths = {*base.files, *files}
    if any(other.startswith(path + "/") for path in files for other in (*paths, *folders)):
        files = {**files}  # a file where a folder stood: the tree below it is gone
        kept = {
            path: file
            for path, file in base.files.items()
            if not any(path.startswith(new + "/") for new in files)
        }
        files = {p: f for p, f in files.items() if not any(p.startswith(q + "/") for q in files)}
    else:
        kept = dict(base.files)
    files = {p: f for p, f in files.items() if not any(p.startswith(q + "/") for q in kept)}
    head = MemoryTree({**kept, **files})
    if head.files == base.files:
        return
    assert check(Snapshot(base), Snapshot(head)).verdict != "complete"


# --- records with one odd value, honestly signed ---------------------------------------------

ODD: Final[list[Any]] = [
    *(0, -1, 2**53 - 1, 1.5, True, "", "x", "a\nb", "\u202ex", "../..", "0" * 64, "ky/opt"),
    *([], {}, [[]], [{}], {"a": {"b": [1]}}, "x" * 9000, ["ky", "ky"], "ghost", 999_999, 1_000_000),
]


def _spots(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    spots = [path] if path else []
    inner = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, value in inner:
        spots += _spots(value, (*path, key))
    return spots


@st.composite
def odd_records(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    name = draw(st.sampled_from(sorted(REQUESTS)))
    data = copy.deepcopy(dump(REQUESTS[name][0](full_registry())))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(_spots(data)))
        node = data
        for key in path[:-1]:
            node = node[key]
        if draw(st.booleans()) and isinstance(node, dict):
            del node[path[-1]]
        else:
            node[path[-1]] = copy.deepcopy(draw(st.sampled_from(ODD)))
        if not data:
            data = {"kind": "x"}
    return name, data


@settings(max_examples=500)
@given(odd_records(), st.booleans())
def test_odd_records_never_raise(odd: tuple[str, dict[str, Any]], unsigned: bool) -> None:  # noqa: FBT001 (drawn)
    name, data = odd
    make, by, proofs = REQUESTS[name]
    registry = full_registry()
    place = place_of(make(registry))
    try:
        payload = spell(place, data)
    except CanonicalError:
        return
    files = registry.sign_bytes(place, payload, [] if unsigned else by, proofs)
    report = registry.check(files)
    assert all(finding.message.isprintable() for finding in report.findings)
    report.as_dict()


# --- any tree --------------------------------------------------------------------------------


@cache
def _payloads() -> list[bytes]:
    registry = full_registry()
    held = [payload for _, payload in registry.tree.files.values()]
    new = [payload for name in REQUESTS for payload in request_of(name).values()]
    return [b"", b"x", b"\xff", *held[::3], *new]


@cache
def _paths() -> list[str]:
    registry = full_registry()
    new = [path for name in REQUESTS for path in request_of(name)]
    odd = ["registry", "registry/root", "registry/root/2.yaml", "registry/participants/ada/2.yaml"]
    odd += ["registry/participants/ada/1.withdrawn.yaml", "README.md", "registry/control/1.yaml"]
    return [*registry.tree.files, *new, *odd, "registry/\udcff", "a\n::set-output"]


any_files = st.dictionaries(
    st.deferred(lambda: st.sampled_from(_paths())),
    st.tuples(
        st.sampled_from([FILE_MODE] * 4 + list(MODES)),
        st.deferred(lambda: st.sampled_from(_payloads())),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=400)
@given(any_files, st.sampled_from(["full", "genesis", "nothing"]), st.booleans())
def test_no_tree_makes_the_check_raise(files: Modes, base: str, replace: bool) -> None:  # noqa: FBT001 (drawn)
    full = full_registry()
    before = {"full": full.tree, "genesis": full.history[0], "nothing": MemoryTree({})}[base]
    below = {} if replace else before.files
    kept = {p: f for p, f in below.items() if not any(p.startswith(n + "/") for n in files)}
    files = {p: f for p, f in files.items() if not any(p.startswith(n + "/") for n in files)}
    report = check(Snapshot(before), Snapshot(MemoryTree({**kept, **files})))
    assert all(finding.path.isprintable() for finding in report.findings)
    report.as_dict()


@settings(max_examples=200)
@given(any_files)
def test_nothing_beside_the_genesis_makes_the_check_raise(files: Modes) -> None:
    genesis = full_registry().history[0]
    files = {p: f for p, f in files.items() if p.count("/") > 1 or not p.startswith("registry")}
    head = MemoryTree({**genesis.files, **files})
    report = check(Snapshot(MemoryTree({})), Snapshot(head))
    assert report.verdict != "complete" or head.files == genesis.files


# --- by name ---------------------------------------------------------------------------------


def test_a_record_that_rests_on_a_refused_one_does_not_raise() -> None:
    """The result's benchmark is added here and pins an MLCube that is not there."""
    registry = full_registry()
    missing = {**registry.pin("mlcube", METRICS), "sha256": "0" * 64}
    benchmark = registry.benchmark(evaluation_metrics=missing)
    files = registry.sign(benchmark, by=BENCHMARK_SIGNERS)
    ahead = registry.ahead(files)
    for record, by in (
        (ahead.dataset_association(), ["ky", "anna", "ben"]),
        (ahead.model_association(), ["maker", "anna", "ben"]),
    ):
        files |= ahead.sign(record, by=by)
    files |= registry.ahead(files).sign(registry.ahead(files).result(), by=["ky"])
    report = registry.check(files)
    assert {finding.code for finding in report.findings} == {"reference-resolves"}


def test_unreadable_records_beside_the_genesis_do_not_raise() -> None:
    empty = Simulator()
    files = empty.genesis()
    for path in ("registry/root/2.yaml", "registry/participants/ada/2.yaml"):
        report = empty.check({**files, path: b"garbage"})
        assert report.verdict == "invalid"


@pytest.mark.parametrize("mode", [0o120000, 0o100755, 0o160000, 0o100644])
def test_the_registry_itself_replaced(mode: int) -> None:
    base = full_registry().tree
    head = MemoryTree({"registry": (mode, b"elsewhere")})
    report = check(Snapshot(base), Snapshot(head))
    codes = {finding.code for finding in report.findings}
    assert {"only-additions", "known-paths"} <= codes
    assert check(Snapshot(base), Snapshot(MemoryTree({}))).verdict == "invalid"
    alone = check(Snapshot(MemoryTree({})), Snapshot(head))
    assert alone.verdict == "invalid"


def test_another_genesis_does_not_lend_its_identity() -> None:
    """A request that replaces the genesis is not judged by the new one."""
    registry = full_registry()
    other = Simulator()
    other.merge(other.genesis(["ada", "eve"], threshold=1))
    place = Place("dataset", "ky/other", 1)
    payload = registry.sign(registry.dataset("ky/other"))[place.path]
    files = {
        GENESIS: other.tree.files[GENESIS][1],
        place.path: payload,
        place.signature("ky"): other.signature(place, payload, "ky"),
    }
    codes = {finding.code for finding in registry.check(files).findings}
    assert codes == {"only-additions", "signature-fits"}


def test_large_files_are_not_read() -> None:
    class Lazy(MemoryTree):
        def blob(self, entry: TreeEntry) -> bytes:
            payload = super().blob(entry)
            assert len(payload) < 300_000
            return payload

    registry = full_registry()
    large = b"x" * 1_000_000
    files = registry.sign(registry.dataset("ky/other"))
    place = Place("dataset", "ky/other", 1)
    head = {**registry.tree.files, **{p: (FILE_MODE, b) for p, b in files.items()}}
    head |= {place.signature("ky"): (FILE_MODE, large)}
    head |= {"registry/datasets/ky/huge/1.yaml": (FILE_MODE, large), "data.bin": (FILE_MODE, large)}
    report = check(registry.snapshot, Snapshot(Lazy(head)))
    assert {finding.code for finding in report.findings} == {
        "canonical-bytes",
        "signature-format",
        "separate-control-plane",
    }


def test_a_damaged_base_is_nobodys_fault(tmp_path: Any) -> None:
    """What can't be read on main raises: the request is not called invalid for it."""
    registry = full_registry()
    files = registry.sign(registry.dataset("ky/other"), by=["ky"])
    with Repository.create(tmp_path / "r.git") as repository:
        base = write_files(repository, dict(registry.tree.files))
        head = write_files(repository, dict(registry.tree.with_files(files).files))
        trees = Snapshot(GitTree(repository, base)), Snapshot(GitTree(repository, head))
        assert check(*trees).verdict == "complete"
        cube = trees[0].tree.entries("registry/mlcubes/chair/prep")["1.yaml"]
        (repository.path / "objects" / cube.oid[:2] / cube.oid[2:]).unlink()
    # Opened anew: what was read sound is remembered by its id, and stays sound.
    with Repository.open(tmp_path / "r.git") as repository:
        again = Snapshot(GitTree(repository, base)), Snapshot(GitTree(repository, head))
        with pytest.raises(GitError):
            check(*again)
        nowhere = repository.write_tree([TreeEntry("registry", TREE_MODE, "ab" * 20)])
        with pytest.raises(GitError):
            check(Snapshot(GitTree(repository, nowhere)), again[1])


def test_same_key_by_two_newcomers_at_once() -> None:
    """Both prove possession: no rule forbids it, but together they never count twice."""
    registry = full_registry()
    files: Files = {}
    for twin in ("twin-one", "twin-two"):
        record = participant_record(twin, {**key_entry("twin"), "name": "first"})
        place = place_of(record)
        signed = registry.sign(record, by=["ada"])
        own = registry.signature(place, signed[place.path], "twin")
        files |= {**signed, place.signature(twin): own}
    assert registry.check(files).verdict == "complete"


def test_requests_stand_side_by_side() -> None:
    files: Files = {}
    for name in ("dataset", "policy", "result", "registration"):
        files |= request_of(name)
    assert full_registry().check(files).verdict == "complete"
