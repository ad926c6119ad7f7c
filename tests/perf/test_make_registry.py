"""Made-up registries are valid, really signed, the same every time, and as large as asked for."""

from __future__ import annotations

import doctest
import importlib
import random
import subprocess
from pathlib import Path

import pytest

from medperf_git.store.tree import GitTree, walk
from medperf_git.trust import sshsig
from medperf_git.vcs import Repository
from medperf_git.workflows.audit import audit
from perf import make_registry, registry_plan, registry_results
from perf.make_registry import Made, main, make
from perf.registry_clerk import Clerk, Keys, Written, digest
from perf.registry_plan import make_plan
from perf.registry_results import Slots, UnfaithfulError, measured, write_result
from perf.registry_stream import Piece

COUNT = 200
PARTS = ("clerk", "plan", "results", "benchmark", "stream")


def quiet(_line: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Made]:
    folder = tmp_path_factory.mktemp("made") / "registry.git"
    return folder, make(folder, COUNT, tell=quiet)


def results_in(folder: Path) -> int:
    with Repository.open(folder) as repository:
        tree = GitTree(repository, repository.commit(repository.resolve("main")).tree)
        return sum(path.endswith(".yaml") for path, _ in walk(tree, "registry/results"))


def refuse_unaudited(folder: Path, made: Made) -> None:
    """The whole history, from the genesis."""
    with Repository.open(folder) as repository:
        report = audit(repository, made.commit, genesis=made.identity)
        assert repository.resolve("main") == made.commit
    assert [failure.findings() for failure in report.failures] == []
    assert report.accepted
    assert (report.records, report.commits) == (made.records, made.transitions)


def test_the_audit_accepts_every_transition(made: tuple[Path, Made]) -> None:
    folder, facts = made
    refuse_unaudited(folder, facts)
    assert results_in(folder) == facts.results == COUNT


def test_the_audit_accepts_many_benchmarks_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_plan, "MODELS", (3, 6))
    monkeypatch.setattr(registry_plan, "DATASETS", (2, 4))
    assert len(make_plan(COUNT, "small")) > 2
    facts = make(tmp_path / "r.git", COUNT, seed="small", results_per_commit=3, tell=quiet)
    refuse_unaudited(tmp_path / "r.git", facts)
    assert results_in(tmp_path / "r.git") == COUNT


def test_the_same_twice_on_any_number_of_processors(
    made: tuple[Path, Made], tmp_path: Path
) -> None:
    again = make(tmp_path / "again.git", COUNT, processes=1, tell=quiet)
    assert (again.commit, again.identity) == (made[1].commit, made[1].identity)
    other = make(tmp_path / "other.git", 10, seed="other", processes=1, tell=quiet)
    assert other.identity != again.identity


def test_git_has_nothing_to_say(made: tuple[Path, Made]) -> None:
    command = ["git", "-C", str(made[0]), "fsck", "--strict", "--full"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
    refs = subprocess.run(
        ["git", "-C", str(made[0]), "for-each-ref", "--format=%(refname)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert refs.stdout.split() == ["refs/heads/main"]
    assert len(list(made[0].glob("objects/pack/*.pack"))) == 1


@pytest.mark.parametrize("count", [1, 2, 3, 2999, 3001, 10_000, 1_000_000])
def test_a_plan_has_exactly_as_many_results_as_asked_for(count: int) -> None:
    benchmarks = [
        benchmark for season in make_plan(count, "any") for benchmark in season.benchmarks
    ]
    assert sum(benchmark.results for benchmark in benchmarks) == count
    assert len({benchmark.id for benchmark in benchmarks}) == len(benchmarks)
    at = 0
    for benchmark in benchmarks:
        assert benchmark.first == at
        assert len(benchmark.models) * len(benchmark.datasets) >= benchmark.results
        assert len(set(benchmark.models)) == len(benchmark.models) <= 60
        at += benchmark.results


def test_everybody_registers_before_they_are_needed() -> None:
    known: set[str] = set()
    for season in make_plan(50_000, "any"):
        assert not known & set(season.newcomers)
        known |= set(season.newcomers)
        for benchmark in season.benchmarks:
            owned = (benchmark.id, *benchmark.models, *benchmark.datasets)
            assert {name.split("/")[0] for name in owned} | set(benchmark.committee) <= known


def test_a_larger_registry_begins_as_a_smaller_one() -> None:
    small, large = make_plan(50_000, "any"), make_plan(100_000, "any")
    assert small[:-1] == large[: len(small) - 1]


def test_signatures_are_those_of_the_product() -> None:
    keys = Keys("seed")
    private = keys._derive("ky")
    expected = sshsig.sign(b"bytes", "mpgit-result-v1@00", private)
    assert keys.sign(b"bytes", "mpgit-result-v1@00", "ky") == expected


def slots() -> Slots:
    pins: Slots = {"benchmark": "a/b", "dataset": "ky/opt", "model": "lab/net", "cases": 500}
    pins |= {"dataset_association": "a/b/ky/opt", "model_association": "a/b/lab/net"}
    pins |= {f"{name}_sha256": digest(name) for name in list(pins) if name != "cases"}
    fixed: Slots = {"id": "a/b/ky/opt/lab/net", "registry_commit": "0" * 40}
    fixed |= {"model_image": digest("m"), "metrics_image": "1" * 64, "finished": "2026-01-31"}
    return pins | fixed | measured(random.Random(1), 500)  # noqa: S311 (no secret)


def written(values: Slots, *, reference: bool = False) -> Written:
    return write_result(Clerk("s", "0" * 64), "ky", values, reference=reference, look=True)


@pytest.mark.parametrize("reference", [False, True])
def test_the_template_is_the_codec(reference: bool) -> None:  # noqa: FBT001
    assert len(written(slots(), reference=reference).files) == 2


def test_a_template_that_is_not_the_codec_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = registry_results.template(reference=False) + "more: true\n"
    monkeypatch.setattr(registry_results, "template", lambda **_: wrong)
    with pytest.raises(UnfaithfulError, match="other bytes than the codec"):
        written(slots())


def test_the_command_says_what_a_client_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "r.git"
    assert main(["5", str(folder), "--processes", "1"]) == 0
    said = capsys.readouterr().out
    assert f"mpgit registry add large {folder} --genesis " in said
    assert said.startswith("5 results, ")
    assert main(["5", str(folder)]) == 2
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.parametrize(("count", "each"), [(0, 5), (5, 0), (5, 41)])
def test_numbers_that_make_no_registry(tmp_path: Path, count: int, each: int) -> None:
    with pytest.raises(ValueError, match="at least 1 result"):
        make(tmp_path / "r.git", count, results_per_commit=each)


def test_a_stream_that_git_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nonsense = Piece(b"nonsense\n", 0, identity="0" * 64)
    monkeypatch.setattr(make_registry, "beginning", lambda _seed: nonsense)
    with pytest.raises(subprocess.CalledProcessError, match="fast-import"):
        make(tmp_path / "r.git", 1, processes=1, tell=quiet)


@pytest.mark.parametrize("part", PARTS)
def test_examples(part: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(f"perf.registry_{part}"))
    assert (failed, tried > 0) == (0, True)
