"""The index says what the records say, whatever happened, and is thrown away where it is wrong."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medperf_git.analysis.leaderboard import leaderboard
from medperf_git.analysis.results import results
from medperf_git.analysis.selection import Condition, Selection
from medperf_git.analysis.state import States
from medperf_git.errors import InputError, RegistryError
from medperf_git.index import build, index, query, segments
from medperf_git.records.kinds import KINDS
from medperf_git.store.paths import Place
from medperf_git.vcs import Repository
from tests.index.worlds import AUTHOR, World
from tests.support.in_git import write_files
from tests.support.simulator import BENCHMARK, DATASET, MODEL, REFERENCE_MODEL, RESULT


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Repository.create(tmp_path / "r.git") as repository:
        yield World(repository)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


def assert_same(world: World, found: index.Index, head: str | None = None) -> None:
    """The index's answers are those of the records themselves."""
    snapshot = world.snapshot(head)
    rows = list(results(snapshot))
    told = query.results(found, Selection())
    assert [row.as_dict() for row in told] == [row.as_dict() for row in rows]
    assert [list(row.as_dict()["record"]) for row in told] == [
        list(row.as_dict()["record"]) for row in rows
    ]
    for mine, theirs in zip(told, rows, strict=True):
        for name in ("benchmark", "dataset", "model", "revision", "partial", "metrics"):
            assert getattr(mine, name) == getattr(theirs, name)
    assert outcome(lambda: query.leaderboard(found, BENCHMARK).as_dict()) == outcome(
        lambda: leaderboard(snapshot, BENCHMARK).as_dict()
    )
    states = States(snapshot)
    expected = {
        place.path: (states.of(place).name, states.of(place).reason)
        for kind in KINDS
        if kind != "withdrawal"
        for place in snapshot.places(kind)
    }
    found.lay_out()
    seen = found.engine.rows("SELECT path, state, reason FROM records")
    assert {path: (state, reason) for path, state, reason in seen} == expected


def outcome(work: Callable[[], object]) -> object:
    try:
        return work()
    except InputError as error:
        return error.as_dict()


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_it_says_what_the_records_say(
    world: World, folder: Path, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 (no secret)
    world.add_dataset("ms/opt")
    for model in (MODEL, REFERENCE_MODEL):
        for dataset in (DATASET, "ms/opt"):
            world.measure(model, dataset, chance.random())
    for _ in range(4):
        happened = [name for _ in range(8) if (name := world.happen(chance))]
        with world.open(folder) as kept:
            assert_same(world, kept)
        assert happened
    with world.open(tmp_path / "anew") as fresh:
        assert_same(world, fresh)


def test_doubts_are_those_of_the_records(world: World, folder: Path) -> None:
    world.add_dataset("ms/opt")
    world.measure(MODEL, "ms/opt", 0.8)
    before = world.head
    world.measure(MODEL, DATASET, 0.7)
    world.measure(REFERENCE_MODEL, DATASET, 0.6)
    world.compromise("ky", before)
    world.compromise("maker", world.commits[0])
    with world.open(folder) as found:
        assert_same(world, found)
        states = {row.reason: row.state for row in query.results(found, Selection())}
    assert states["signed with a compromised key of ky"] == "doubted"
    assert states[f"model {MODEL} is doubted"] == "doubted"


@pytest.mark.parametrize("since", ["c" * 40, "beside"])
def test_a_doubt_from_a_commit_beside_main(world: World, folder: Path, since: str) -> None:
    if since == "beside":
        # A commit that a merge brings in: on main, but not along first parents.
        tree = world.repository.commit(world.head).tree
        since = world.repository.write_commit(tree, [world.head], "A request", AUTHOR)
        world.registry.merge(world.registry.sign(world.registry.model("maker/x"), by=["maker"]))
        tree = write_files(world.repository, dict(world.registry.tree.files))
        parents = [world.head, since]
        world.commits.append(world.repository.write_commit(tree, parents, "Merge", AUTHOR))
    world.measure(MODEL, DATASET, 0.7)
    world.compromise("ky", since)
    with world.open(folder) as found:
        assert_same(world, found)


SELECTIONS = {
    "benchmark": Selection(benchmark=BENCHMARK),
    "another benchmark": Selection(benchmark="chair/other"),
    "model": Selection(model=REFERENCE_MODEL),
    "dataset": Selection(dataset="ms/opt"),
    "state": Selection(states=("superseded", "withdrawn")),
    "metric": Selection(conditions=(Condition("auroc", ">=", 0.7),)),
    "below": Selection(conditions=(Condition("auroc", "<", 0.7),)),
    "equal": Selection(conditions=(Condition("auroc", "=", 0.7),)),
    "no such metric": Selection(conditions=(Condition("brier", ">", 0.0),)),
    "all at once": Selection(
        BENCHMARK, MODEL, DATASET, ("stands",), (Condition("auroc", ">", 0.1),)
    ),
}


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_selection_selects_the_same(world: World, folder: Path, name: str) -> None:
    world.add_dataset("ms/opt")
    for value, (model, dataset) in enumerate(
        [
            (MODEL, DATASET),
            (REFERENCE_MODEL, DATASET),
            (MODEL, "ms/opt"),
            (REFERENCE_MODEL, "ms/opt"),
        ]
    ):
        world.measure(model, dataset, 0.5 + value / 10)
    world.withdraw("result", f"{BENCHMARK}/ms/opt/{MODEL}", "ms")
    wanted = SELECTIONS[name]
    rows = [row.as_dict() for row in results(world.snapshot()) if wanted.holds(row)]
    with world.open(folder) as found:
        assert [row.as_dict() for row in query.results(found, wanted)] == rows
        assert [row.as_dict() for row in query.results(found, wanted, 1)] == rows[:1]


def test_signatures_that_came_later_count(world: World, folder: Path) -> None:
    place = Place("result", RESULT, 1)
    payload = world.snapshot().payload(place.path)
    assert payload is not None
    late = {place.signature("anna"): world.registry.signature(place, payload, "anna")}
    world.registry.tree = world.registry.tree.with_files(late)
    world.commit()
    with world.open(folder) as found:
        assert found.manifest.rows("late") == 1
        found.lay_out()
        sql = "SELECT signers FROM {} WHERE path = ?"
        for table in ("results", "records"):
            assert found.engine.rows(sql.format(table), [place.path]) == [(["anna", "ky"],)]
        signed = "SELECT signer, commit FROM signatures WHERE path = ? ORDER BY ALL"
        assert ("anna", world.head) in found.engine.rows(signed, [place.path])


def test_what_cannot_be_read_is_a_row_that_says_so(world: World, folder: Path) -> None:
    bad = Place("result", RESULT, 7)
    worse = Place("model", MODEL, 9)
    files = {bad.path: b"no record\n", worse.path: b"\xff", worse.signature("maker"): b"none"}
    world.registry.tree = world.registry.tree.with_files(files)
    world.commit()
    with world.open(folder) as found:
        rows = {row.path: row for row in query.results(found, Selection())}
        assert rows[bad.path].state == "unreadable"
        assert rows[bad.path].as_dict()["record"] is None
        found.lay_out()
        states = dict(found.engine.rows("SELECT path, state FROM records"))
    assert states[worse.path] == "unreadable"


def test_a_history_that_changes_records_has_no_index(world: World, folder: Path) -> None:
    world.registry.tree = world.registry.tree.with_files({Place("result", RESULT, 1).path: b"x"})
    world.commit()
    with pytest.raises(RegistryError, match="changed or removed"):
        world.open(folder)


def test_many_updates_become_few_files(world: World, folder: Path) -> None:
    for number in range(12):
        world.measure(MODEL, DATASET, number / 20)
        with world.open(folder) as found:
            files = dict.fromkeys(("results", "commits"), 0)
            for segment in found.manifest.segments:
                files[segment.table] = files.get(segment.table, 0) + 1
            assert max(files.values()) < 9
    with world.open(folder) as found:
        assert_same(world, found)


def test_a_long_history_is_read_by_all_processors(
    world: World, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "PART", 5)
    monkeypatch.setattr(build, "SORTED", 4)
    done: list[tuple[int, int]] = []
    with index.open_index(
        world.repository,
        world.head,
        identity=world.registry.snapshot.identity,
        folder=folder,
        progress=lambda commits, all_: done.append((commits, all_)),
    ) as found:
        assert_same(world, found)
    assert done[-1] == (len(world.commits), len(world.commits))
    assert [commits for commits, _ in done] == sorted({commits for commits, _ in done})


# --- thrown away -----------------------------------------------------------------------------


def poison(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def parquet(folder: Path, table: str) -> Path:
    return next(folder.glob(f"{table}-*.parquet"))


def lie(folder: Path, *, honest_digest: bool, **changes: object) -> None:
    path = folder / segments.MANIFEST
    data = json.loads(path.read_bytes()) | changes
    if honest_digest:
        del data["digest"]
        data["digest"] = segments.Manifest.model_validate_json(json.dumps(data)).digest
    path.write_text(json.dumps(data))


DAMAGE: dict[str, Callable[[Path, World], object]] = {
    "a segment was changed": lambda folder, _: poison(parquet(folder, "results")),
    "a segment is missing": lambda folder, _: parquet(folder, "records").unlink(),
    "a segment was cut": lambda folder, _: parquet(folder, "results").write_bytes(b"PAR1"),
    "the manifest is no JSON": lambda folder, _: (folder / "manifest.json").write_text("{"),
    "the manifest is a list": lambda folder, _: (folder / "manifest.json").write_text("[]"),
    "the manifest was edited": lambda folder, world: lie(
        folder, honest_digest=False, commit=world.commits[-2]),
    "another format": lambda folder, _: lie(folder, honest_digest=True, format=99),
    "another version of mpgit": lambda folder, _: lie(folder, honest_digest=True, mpgit="0.0.0"),
    "another registry": lambda folder, _: lie(folder, honest_digest=True, identity="0" * 64),
    "a commit that nobody knows": lambda folder, _: lie(
        folder, honest_digest=True, commit="0" * 40),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_damaged_or_lies_is_made_anew(world: World, folder: Path, name: str) -> None:
    with world.open(folder):
        pass
    DAMAGE[name](folder, world)
    told: list[str] = []
    with world.open(folder, told=told) as found:
        assert_same(world, found)
    assert len(told) == 1
    assert "made anew" in told[0]
    quiet: list[str] = []
    with world.open(folder, told=quiet):
        assert quiet == []


def test_a_copied_index_is_read_again_and_kept(world: World, folder: Path, tmp_path: Path) -> None:
    with world.open(folder):
        pass
    copy = tmp_path / "copy"
    folder.rename(copy)
    for path in copy.glob("*.parquet"):
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
    told: list[str] = []
    with world.open(copy, told=told) as found:
        assert_same(world, found)
    assert told == []


@pytest.mark.parametrize("back", [1, 3])
def test_an_older_commit_is_answered_for_itself(world: World, folder: Path, back: int) -> None:
    world.measure(MODEL, DATASET, 0.9)
    world.withdraw("result", RESULT, "ky")
    with world.open(folder) as found:
        assert_same(world, found)
    older = world.commits[-1 - back]
    told: list[str] = []
    with world.open(folder, older, told) as found:
        assert found.manifest.commit == older
        assert_same(world, found, older)
    assert "another history" in told[0]


def test_another_main_is_another_index(world: World, folder: Path) -> None:
    with world.open(folder):
        pass
    world.commits.pop()
    world.registry.tree = world.registry.history[-2]
    world.measure(MODEL, DATASET, 0.4)
    with world.open(folder) as found:
        assert_same(world, found)


def test_several_at_once_answer_alike(world: World, folder: Path) -> None:
    heads = [world.head]
    for number in range(3):
        world.measure(MODEL, DATASET, number / 10)
        heads.append(world.head)
    wrong: list[object] = []

    def ask() -> None:
        try:
            with Repository.open(world.repository.path) as repository:
                for _ in range(3):
                    with index.open_index(
                        repository,
                        heads[-1],
                        identity=world.registry.snapshot.identity,
                        folder=folder,
                    ) as found:
                        count = len(query.results(found, Selection()))
                        if count != len(heads):
                            wrong.append(count)
        except Exception as error:  # noqa: BLE001 (whatever it is, the test shall see it)
            wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_files_that_nobody_names_go_after_a_while(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.open(folder):
        pass
    left = folder / "results-0000000000000000.parquet"
    left.write_bytes(b"")
    world.measure(MODEL, DATASET, 0.9)
    with world.open(folder):
        assert left.exists()
    monkeypatch.setattr(segments, "_GRACE_SECONDS", -1)
    world.measure(MODEL, DATASET, 0.8)
    with world.open(folder) as found:
        assert not left.exists()
        assert_same(world, found)
