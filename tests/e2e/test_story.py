"""What the story leaves, with each engine."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from medperf_git.store.paths import Place
from medperf_git.trust.keys import PublicKey
from medperf_git.vcs import Repository
from medperf_git.version import __version__
from tests.e2e.stories import (
    BENCHMARK,
    EXAMPLE,
    HOSPITALS,
    MODELS,
    SIGNERS,
    Told,
    hospital_digests,
)

CASES = {"ky": (211, 208), "ms": (192, 192), "ny": (173, 167)}
"""Women and known outcomes, from the example's README."""
INTERVAL_DRIFT = 0.02
"""How far a bootstrapped bound may move between two releases of scipy."""


def test_every_chapter_is_told(story: Told) -> None:
    assert story.exit_code == 0
    titles = re.findall(r"^(\d)\. (.*)$", story.output, re.MULTILINE)
    assert [int(number) for number, _ in titles] == [1, 2, 3, 4, 5, 6, 7]
    words = ("founds", "register", "benchmark", "models", "prepare", "runs", "checks")
    for word, (_, title) in zip(words, titles, strict=True):
        assert word in title
    assert "Done in" in story.output


def test_the_sandbox_story_keeps_its_promise_of_90_seconds(
    sandbox_story: Told, record_property: pytest.RecordProperty
) -> None:
    record_property("seconds", sandbox_story.seconds)
    print(f"`mpgit demo` took {sandbox_story.seconds:.1f} s")
    assert sandbox_story.seconds < 90, f"measured {sandbox_story.seconds:.1f} s"


def test_the_researcher_accepts_the_whole_history(story: Told) -> None:
    report = story.json("researcher", "audit")
    assert report["verdict"] == "accepted"
    assert report["failures"] == []
    assert report["commits"] >= 29
    assert report["checked"].startswith("history")
    with Repository.open(story.host) as repository:
        assert report["head"] == repository.resolve("main")
        assert report["commits"] == len(list(repository.first_parents("main")))


def test_the_finished_tree_is_accepted_too(story: Told) -> None:
    report = story.json("researcher", "audit", "--tree")
    assert (report["verdict"], report["records"]) == ("accepted", 35)


def test_the_leaderboard_has_three_models_at_three_hospitals(story: Told) -> None:
    board = story.json("researcher", "leaderboard", BENCHMARK)
    rows = board["rows"] if isinstance(board, dict) else board
    assert {row["model"] for row in rows} == set(MODELS)
    done = story.mpgit("researcher", "leaderboard", BENCHMARK)
    header, *lines = done.stdout.splitlines()[2:]
    assert all(f"{hospital}/opt" in header for hospital in HOSPITALS)
    ranked = [line for line in lines if line.strip()[:1].isdigit()]
    assert len(ranked) == 3
    assert all(len(re.findall(r"\(0\.\d+–0\.\d+\)", line)) == 3 for line in ranked)


def test_a_model_that_fails_on_the_demo_data_gets_no_request(story: Told) -> None:
    with Repository.open(story.host) as repository:
        refs = repository.refs("refs/")
        # Merged requests' branches are gone, so a request can only be seen in what was sent.
        assert set(refs) == {"refs/heads/main"}
        everything = _git(story.host, "log", "--all", "--format=%s%n%b", "--name-only")
    assert "models/oak-lab/broken/1.yaml" in everything  # it was registered
    assert "preterm/models/oak-lab/broken" not in everything  # and never associated
    for who in SIGNERS:
        outbox = story.home(who) / "data" / "outbox"
        assert not [path for path in outbox.rglob("*") if path.is_file()]


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "--git-dir", str(folder), *words], capture_output=True, check=True, text=True
    )
    return done.stdout


# --- what a result tells ------------------------------------------------------------------


@pytest.fixture
def records(story: Told) -> dict[tuple[str, str], dict[str, Any]]:
    """Every result by hospital and model."""
    rows = [row["record"] for row in story.json("researcher", "result", "ls")]
    return {(row["dataset"]["id"].split("/")[0], row["model"]["id"]): row for row in rows}


def test_every_hospital_has_a_result_of_every_model(
    records: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert set(records) == {(h, m) for h in HOSPITALS for m in MODELS}


def test_results_tell_the_denominator(records: dict[tuple[str, str], dict[str, Any]]) -> None:
    for (hospital, _), record in records.items():
        cases, evaluated = CASES[hospital]
        expected = {"cases": cases, "evaluated": evaluated, "failed": 0}
        assert record["denominator"] == {**expected, "excluded": cases - evaluated}
        counts = {metric["id"]: metric["n"] for metric in record["metrics"]}
        assert counts["auroc"] == counts["brier"] == evaluated
        assert counts["sensitivity"] + counts["specificity"] == evaluated
        assert all(m["low"] <= m["value"] <= m["high"] for m in record["metrics"])


def test_results_tell_what_ran_and_how(
    story: Told, records: dict[tuple[str, str], dict[str, Any]]
) -> None:
    snapshot = story.snapshot()
    metrics = snapshot.load(Place("mlcube", "anna-weber/preterm-metrics", 1)).record
    for (_, model), record in records.items():
        execution = record["execution"]
        assert execution["client"] == {"name": "mpgit", "version": __version__}
        assert execution["engine"]["name"] == story.engine
        assert re.search(r"\d+\.\d+", execution["engine"]["version"])
        assert [step["task"] for step in execution["steps"]] == ["infer", "evaluate"]
        cubes = (snapshot.load(Place("model", model, 1)).record, metrics)
        for step, cube in zip(execution["steps"], cubes, strict=True):
            assert step["image"] == cube.image_digest  # type: ignore[attr-defined]
            assert step["image_type"] == {"sandbox": "source", "docker": "reference"}[story.engine]
            _in_force(step["isolation"])
        assert re.fullmatch("[0-9a-f]{64}", execution["steps"][1]["parameters"])
        weights = execution["steps"][0].get("additional_files", [])
        assert len(weights) == (0 if MODELS[model] == "rule" else 1)


def _in_force(isolation: dict[str, Any]) -> None:
    assert isolation["network"] == "none"
    assert isolation["capabilities"] == "none"
    assert isolation["new_privileges"] is False
    assert (isolation["root"], isolation["inputs"]) == ("read-only", "read-only")
    assert isolation["user"] == f"{os.getuid()}:{os.getgid()}"
    for name in ("memory_mb", "processes", "cpus", "seconds", "output_mb"):
        assert isolation[name]["value"] > 0
        assert isolation[name]["enforced_by"] != "none"


def test_results_name_a_commit_of_main_from_before_them(
    story: Told, records: dict[tuple[str, str], dict[str, Any]]
) -> None:
    with Repository.open(story.host) as repository:
        line = list(repository.first_parents("main"))
        for (hospital, model), record in records.items():
            ran_at = record["execution"]["registry_commit"]
            path = f"registry/results/{BENCHMARK}/{hospital}/opt/{model}/1.yaml"
            added = _git(story.host, "log", "-1", "--first-parent", "-m", "--format=%H",
                         "--diff-filter=A", "main", "--", path).strip()  # fmt: skip
            assert line.index(ran_at) < line.index(added)


def test_results_pin_records_that_are_there(
    story: Told, records: dict[tuple[str, str], dict[str, Any]]
) -> None:
    snapshot = story.snapshot()
    kinds = ("benchmark", "dataset", "model", "dataset_association", "model_association")
    for (_, model), record in records.items():
        assert ("model_association" in record) == (model != "anna-weber/previous-preterm")
        for field in (kind for kind in kinds if kind in record):
            pin = record[field]
            place = Place(field.replace("_", "-"), pin["id"], pin["revision"])
            assert snapshot.load(place).sha256 == pin["sha256"]


# --- the numbers --------------------------------------------------------------------------


def _directly(volumes: Path, prepared: Path, model: str) -> dict[str, Any]:
    """Infer and evaluate with the example's own scripts, in plain processes."""
    for name in ("data", "labels"):
        shutil.copytree(prepared / name, volumes / name)
    for name in ("predictions", "results", "additional_files", "parameters"):
        (volumes / name).mkdir()
    folder = EXAMPLE / "models" / MODELS[model]
    if (folder / "weights.json").exists():
        shutil.copy(folder / "weights.json", volumes / "additional_files")
    parameters = volumes / "parameters" / "parameters_file.yaml"
    shutil.copy(EXAMPLE / "metrics" / "parameters.yaml", parameters)
    for script in (folder / "project" / "infer.py", EXAMPLE / "metrics/project/evaluate.py"):
        subprocess.run(
            [sys.executable, str(script)],
            env={
                **os.environ,
                "PRETERM_VOLUMES": str(volumes),
                "PYTHONDONTWRITEBYTECODE": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
            check=True,
        )
    found: dict[str, Any] = yaml.safe_load((volumes / "results" / "results.yaml").read_text())
    return found


@pytest.mark.parametrize("model", MODELS)
def test_the_numbers_are_those_of_the_example_s_own_scripts(
    story: Told, tmp_path: Path, model: str
) -> None:
    for hospital in HOSPITALS:
        direct = _directly(tmp_path / hospital, story.prepared(hospital), model)
        record = story.result(hospital, model)
        # The sandbox runs this very Python; the image has Debian's.
        exactly = story.engine == "sandbox"
        for metric in record["metrics"]:
            computed = direct[metric["id"]]
            assert metric["n"] == computed["n"]
            assert metric["value"] == pytest.approx(computed["value"], abs=1e-4)
            for bound in ("low", "high"):
                drift = 0.0 if exactly else INTERVAL_DRIFT
                assert metric[bound] == pytest.approx(computed[bound], abs=drift)


@pytest.mark.xdist_group("story-docker")
def test_docker_and_the_sandbox_measure_the_same(docker_story: Told, sandbox_story: Told) -> None:
    for hospital in HOSPITALS:
        for model in MODELS:
            one, other = (told.result(hospital, model) for told in (docker_story, sandbox_story))
            assert one["denominator"] == other["denominator"]
            for left, right in zip(one["metrics"], other["metrics"], strict=True):
                assert (left["id"], left["n"]) == (right["id"], right["n"])
                assert left["value"] == pytest.approx(right["value"], abs=1e-3)
                for bound in ("low", "high"):
                    assert left[bound] == pytest.approx(right[bound], abs=INTERVAL_DRIFT)


# --- homes and hospitals ------------------------------------------------------------------


def test_everybody_has_one_key_of_their_own(story: Told) -> None:
    snapshot = story.snapshot()
    seen = set()
    for who in SIGNERS:
        keys = sorted((story.home(who) / "config" / "keys").iterdir())
        assert [path.name for path in keys] == ["default", "default.pub"]
        assert keys[0].stat().st_mode & 0o077 == 0
        participant = snapshot.participant(who)
        assert participant is not None
        public = PublicKey.parse(" ".join(keys[1].read_text().split()[:2])).text
        assert [key.public_key for key in participant.keys] == [public]
        seen.add(public)
    assert len(seen) == len(SIGNERS)
    assert not (story.home("researcher") / "config" / "keys").exists()
    assert {path.name for path in (story.top / "homes").iterdir()} == {*SIGNERS, "researcher"}


def test_nobody_s_home_holds_what_is_another_s(story: Told) -> None:
    for who in SIGNERS:
        data = story.home(who) / "data"
        for part in ("datasets", "executions"):
            assert ((data / part).exists()) == (who in HOSPITALS)
        if who in HOSPITALS:
            assert [path.name for path in (data / "datasets" / "preterm").iterdir()] == [who]
            assert len(list((data / "executions" / "preterm").iterdir())) == len(MODELS)
        registries = (story.home(who) / "config" / "registries.json").read_text()
        assert f'"participant": "{who}"' in registries


def test_the_hospitals_files_are_as_they_were(story: Told) -> None:
    assert story.untouched == hospital_digests()
    for hospital in HOSPITALS:
        mine = story.home(hospital) / "patients" / f"{hospital}.csv"
        original = EXAMPLE / "hospitals" / hospital / f"{hospital}.csv"
        assert mine.read_bytes() == original.read_bytes()
        with original.open(newline="") as stream:
            assert len(list(csv.DictReader(stream))) == CASES[hospital][0]
