"""One run of eighteen models, fifteen of which fail, each for its own reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.site import BENCHMARK, MISBEHAVIOURS, Done, Site, copy_site

FAILURES: dict[str, tuple[str, str, str]] = {
    "fails": ("task-failed", "CUDA is not what it was", "infer.stderr"),
    "hangs": ("time-limit", "still running after 1 seconds", "infer.stdout"),
    "silent": ("task-failed", "predictions.csv", "evaluate.stderr"),
    "no-result": ("no-output", "without writing results.yaml", "results.yaml"),
    "huge": ("bad-results", "at most 1048576", "results.yaml"),
    "nan": ("bad-results", "nan is not a finite number", "results.yaml: accuracy.value"),
    "infinity": ("bad-results", "inf is not a finite number", "results.yaml: accuracy.high"),
    "text": ("bad-results", "text where a number belongs", "results.yaml: accuracy.value"),
    "list": ("bad-results", "a list where a number belongs", "results.yaml: accuracy"),
    "list-on-top": ("bad-results", "expected `key: value` lines", "results.yaml"),
    "no-value": ("bad-results", "the metric accuracy is missing", "results.yaml: accuracy"),
    "out-of-range": ("bad-results", "1.5 is outside 0.0…1.0", "metrics.accuracy.value"),
    "few-cases": ("bad-results", "the benchmark needs 20", "cases.evaluated"),
    "lost-cases": ("cases-differ", "35 cases, the dataset has 40", "results.yaml: cases.total"),
    "not-yaml": ("bad-results", "not usable YAML", "results.yaml, line 2"),
}
WELL = ("anna/rule", "oak/good", "oak/slow")
RUN = (
    *("run", "-b", BENCHMARK, "-d", "opt"),
    *(word for name in (*WELL, *(f"oak/{name}" for name in FAILURES)) for word in ("-m", name)),
)


@pytest.fixture(scope="module")
def ran(first_site: Site, tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Done]:
    site = copy_site(first_site, tmp_path_factory.mktemp("run") / "site")
    return site, site.do("ky", *RUN, "--json", expect=1)


def outcome(done: Done, model: str) -> dict[str, Any]:
    found: dict[str, Any] = next(line for line in done.json if line["model"] == model)
    return found


@pytest.mark.parametrize("name", FAILURES)
def test_a_failing_model_says_why_and_where(ran: tuple[Site, Done], name: str) -> None:
    code, message, place = FAILURES[name]
    found = outcome(ran[1], f"oak/{name}")
    assert found["state"] == "failed"
    assert found["error"]["code"] == code
    assert message in found["error"]["message"] + found["error"].get("detail", "")
    assert place in found["error"]["place"]
    assert "metrics" not in found


def test_every_model_of_the_benchmark_was_tried(ran: tuple[Site, Done]) -> None:
    assert set(FAILURES) | {"slow"} == set(MISBEHAVIOURS)
    assert {line["model"] for line in ran[1].json} == {*WELL, *(f"oak/{n}" for n in FAILURES)}


@pytest.mark.parametrize("model", WELL)
def test_the_others_were_measured(ran: tuple[Site, Done], model: str) -> None:
    found = outcome(ran[1], model)
    assert found["state"] == "finished"
    assert [metric["id"] for metric in found["metrics"]] == ["accuracy"]
    assert found["denominator"] == {"cases": 40, "evaluated": 40, "failed": 0, "excluded": 0}
    assert [step["task"] for step in found["execution"]["steps"]] == ["infer", "evaluate"]
    assert {s["isolation"]["network"] for s in found["execution"]["steps"]} == {"none"}


def test_only_the_measured_can_be_submitted(ran: tuple[Site, Done]) -> None:
    site, _ = ran
    listed = site.do("ky", "result", "ls", "--local", "--json").json
    assert sorted(line["record"]["model"]["id"] for line in listed) == sorted(WELL)
    assert {line["state"] for line in listed} == {"new"}


def test_the_summary_table_names_every_model_and_the_next_command(ran: tuple[Site, Done]) -> None:
    site, _ = ran
    # Everything but the failed containers is known by now.
    done = site.do("ky", *RUN, expect=1)
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()[2:] if line}
    assert rows["oak/good"] == ["known", "0.500", "(0.250–0.750)", "40/40"]
    assert rows["oak/nan"] == ["failed", "bad-results"]
    assert rows["oak/hangs"] == ["failed", "time-limit"]
    assert len(rows) == len(FAILURES) + len(WELL)
    assert f"next: mpgit result submit -b {BENCHMARK} -d opt" in done.err


def test_nothing_half_written_is_left(ran: tuple[Site, Done]) -> None:
    site, _ = ran
    assert not site.unfinished("ky")
    home = site.home("ky")
    kept = {path.parent.name for path in home.executions("clinic").glob("*/execution.json")}
    assert len(kept) == len(WELL)
    left: list[Path] = list(home.data.rglob(".mpgit-*"))
    assert not left
