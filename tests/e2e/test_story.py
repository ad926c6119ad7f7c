"""What the story leaves, with each engine."""

from __future__ import annotations

import csv
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

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
    sandbox_story: Told, record_property: Callable[[str, object], None]
) -> None:
    record_property("mpgit demo", f"{sandbox_story.seconds:.1f} s")
    assert sandbox_story.seconds < 90, f"measured {sandbox_story.seconds:.1f} s"


def test_the_researcher_accepts_the_whole_history(story: Told) -> None:
    report = story.json("researcher", "audit", "--full")
    assert report["verdict"] == "accepted"
    assert report["failures"] == []
    assert report["commits"] >= 29
    assert report["checked"].startswith("history")
    said = re.search(r"ACCEPTED: (\d+) commits, (\d+) records", story.output)
    assert said is not None  # at the end of the story too, and of all of it
    assert (int(said[1]), int(said[2])) == (report["commits"], report["records"])
    with Repository.open(story.host) as repository:
        assert report["head"] == repository.resolve("main")
        assert report["commits"] == len(list(repository.first_parents("main")))


def test_the_finished_tree_is_accepted_too(story: Told) -> None:
    report = story.json("researcher", "audit", "--tree")
    assert (report["verdict"], report["records"]) == ("accepted", 35)


def test_the_leaderboard_has_three_models_at_three_hospitals(story: Told) -> None:
    board = story.json("researcher", "leaderboard", BENCHMARK)
    hospitals = {f"{hospital}/opt" for hospital in HOSPITALS}
    assert set(board["datasets"]) == hospitals
    assert {row["model"] for row in board["models"]} == set(MODELS)
    for row in board["models"]:
        assert {d: v["value"] for d, v in row["values"].items()} == {
            f"{hospital}/opt": record["metrics"][0]["value"]
            for (hospital, model), record in story.results.items()
            if model == row["model"]
        }
    means = [row["mean"] for row in board["models"]]
    assert means == sorted(means, reverse=True)
    done = story.mpgit("researcher", "leaderboard", BENCHMARK)
    assert all(hospital in done.stdout for hospital in hospitals)
    ranked = [line for line in done.stdout.splitlines() if re.match(r"\d  ", line)]
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


def test_every_hospital_has_a_result_of_every_model(story: Told) -> None:
    assert set(story.results) == {(h, m) for h in HOSPITALS for m in MODELS}


def test_results_tell_the_denominator(story: Told) -> None:
    for (hospital, _), record in story.results.items():
        cases, evaluated = CASES[hospital]
        expected = {"cases": cases, "evaluated": evaluated, "failed": 0}
        assert record["denominator"] == {**expected, "excluded": cases - evaluated}
        counts = {metric["id"]: metric["n"] for metric in record["metrics"]}
        assert counts["auroc"] == counts["brier"] == evaluated
        assert counts["sensitivity"] + counts["specificity"] == evaluated
        assert all(m["low"] <= m["value"] <= m["high"] for m in record["metrics"])


def test_results_tell_what_ran_and_how(story: Told) -> None:
    snapshot = story.snapshot()
    metrics = snapshot.load(Place("mlcube", "anna-weber/preterm-metrics", 1)).record
    for (_, model), record in story.results.items():
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


def test_results_name_a_commit_of_main_from_before_them(story: Told) -> None:
    with Repository.open(story.host) as repository:
        line = list(repository.first_parents("main"))
        for (hospital, model), record in story.results.items():
            ran_at = record["execution"]["registry_commit"]
            path = f"registry/results/{BENCHMARK}/{hospital}/opt/{model}/1.yaml"
            added = _git(story.host, "log", "-1", "--first-parent", "-m", "--format=%H",
                         "--diff-filter=A", "main", "--", path).strip()  # fmt: skip
            assert line.index(ran_at) < line.index(added)


def test_results_pin_records_that_are_there(story: Told) -> None:
    snapshot = story.snapshot()
    kinds = ("benchmark", "dataset", "model", "dataset_association", "model_association")
    for (_, model), record in story.results.items():
        assert ("model_association" in record) == (model != "anna-weber/previous-preterm")
        for field in (kind for kind in kinds if kind in record):
            pin = record[field]
            place = Place(field.replace("_", "-"), pin["id"], pin["revision"])
            assert snapshot.load(place).sha256 == pin["sha256"]


# --- the numbers --------------------------------------------------------------------------


@cache
def example_script(path: str) -> ModuleType:
    """A script of the example, imported."""
    file = EXAMPLE / path
    spec = importlib.util.spec_from_file_location(f"direct_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _directly(folder: Path, prepared: Path, model: str) -> dict[str, Any]:
    """Infer and evaluate with the example's own scripts, without mpgit."""
    for name in ("data", "predictions", "additional_files"):
        (folder / name).mkdir(parents=True)
    shutil.copy(prepared / "data" / "patients.csv", folder / "data")
    source = EXAMPLE / "models" / MODELS[model]
    if (source / "weights.json").exists():
        shutil.copy(source / "weights.json", folder / "additional_files")
    subprocess.run(
        [sys.executable, str(source / "project" / "infer.py")],
        env={**os.environ, "PRETERM_VOLUMES": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )
    script = example_script("metrics/project/evaluate.py")
    labels = script.read_labels(prepared / "labels" / "labels.csv")
    predictions = folder / "predictions" / "predictions.csv"
    found: dict[str, Any] = script.evaluate(
        labels,
        script.read_predictions(predictions, set(labels)),
        script.read_parameters(EXAMPLE / "metrics" / "parameters.yaml"),
    )
    return found


@pytest.mark.parametrize("model", MODELS)
def test_the_numbers_are_those_of_the_example_s_own_scripts(
    story: Told, tmp_path: Path, model: str
) -> None:
    for hospital in HOSPITALS:
        direct = _directly(tmp_path / hospital, story.prepared(hospital), model)
        record = story.results[hospital, model]
        # The sandbox runs this very Python; the image has Debian's.
        drift = 0.0 if story.engine == "sandbox" else INTERVAL_DRIFT
        for metric in record["metrics"]:
            computed = direct[metric["id"]]
            assert metric["n"] == computed["n"]
            assert metric["value"] == pytest.approx(computed["value"], abs=1e-4)
            for bound in ("low", "high"):
                assert metric[bound] == pytest.approx(computed[bound], abs=drift)


def test_docker_and_the_sandbox_measure_the_same(docker_story: Told, sandbox_story: Told) -> None:
    assert set(docker_story.results) == set(sandbox_story.results)
    for key, one in docker_story.results.items():
        other = sandbox_story.results[key]
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
