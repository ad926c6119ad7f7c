"""A small challenge replayed: all that is submitted lands, once, and a stranger accepts it."""

from __future__ import annotations

import doctest
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from perf import fets_plan, fets_report
from perf.fets import Outcome, play, report
from perf.fets_people import FailedError, People
from perf.fets_plan import Size
from tests.support.site import Site

pytestmark = pytest.mark.xdist_group("fets")  # one challenge for all of them
SIZE = Size(sites=3, models=2, labs=1)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "took.jsonl"


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory, journal: Path) -> Outcome:
    return play(tmp_path_factory.mktemp("fets"), SIZE, journal=journal)


def test_all_land_once_and_a_stranger_accepts_it(outcome: Outcome) -> None:
    assert outcome.faults() == []
    assert len(outcome.results) == SIZE.sites * SIZE.models
    assert set(outcome.results.values()) == {1}
    assert outcome.audit["verdict"] == "accepted"
    assert set(outcome.board) == set(SIZE.all_models)


def test_everything_came_by_a_request(outcome: Outcome) -> None:
    merged = {phase.name: phase.merged for phase in outcome.phases}
    assert merged["register"] == 3 + 1 + SIZE.sites  # committee, lab, sites
    assert merged["models"] == 2 * (SIZE.models - 1)
    assert merged["datasets"] == 2 * SIZE.sites
    assert merged["results"] == SIZE.sites
    checked = {took.phase for took in outcome.took if took.what == "check"}
    assert checked == {"register", "models", "datasets", "results"}
    pushed = sum(merged.values()) - 1  # the registry's first two commits are one push
    assert len(outcome.judged) >= pushed


def test_the_report_says_what_was_measured(outcome: Outcome, journal: Path) -> None:
    said = "\n".join(report(outcome, SIZE))
    assert "6 of 6 landed; 0 faults" in said
    for part in ("results, submit: 3;", "starting Python", "pushing", "the hook judged"):
        assert part in said
    written = [json.loads(line) for line in journal.read_text().splitlines()]
    assert len(written) == len(outcome.took)
    assert all(0 < took.inside <= took.wall for took in outcome.took)


def test_what_is_lost_or_there_twice_is_a_fault(outcome: Outcome) -> None:
    first, second, *_ = sorted(outcome.expected)
    odd = Counter(outcome.results)
    del odd[first]
    odd[second] = 2
    odd["more"] = 1
    faults = replace(
        outcome, results=odd, left=("refs/heads/requests/a/b",), audit={}, board=()
    ).faults()
    assert faults == [
        f"lost: {first}",
        "nobody submitted: more",
        f"2 times: {second}",
        "left over: refs/heads/requests/a/b",
        "the stranger's audit: {}",
        "the leaderboard has 0 models of 2",
    ]


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    people = People(Site(tmp_path), "nowhere")
    with pytest.raises(FailedError, match="no registry was added yet"):
        people.do("ky", "sync", "registry", "sync")
    with pytest.raises(FailedError, match="No such command"):
        people.do("ky", "sync", "sing")


@pytest.mark.parametrize("module", [fets_plan, fets_report])
def test_examples(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)
    assert (failed, tried > 0) == (0, True)
