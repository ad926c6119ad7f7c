"""The skeletons are what they say: drafts that complete, containers that work."""

from __future__ import annotations

import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from medperf_git.canonical.document import emit_mapping
from medperf_git.cli.main import invoke
from medperf_git.errors import InputError
from medperf_git.records.base import Pin, Record
from medperf_git.records.codec import build
from medperf_git.records.mlcube import MLCube, Model
from medperf_git.runtime.measurements import read_results, read_statistics
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import MemoryTree
from medperf_git.workflows.compatibility import untested
from medperf_git.workflows.drafts import complete, read_draft, record_from
from medperf_git.workflows.skeletons import (
    ROLES,
    write_benchmark_draft,
    write_policy_draft,
    write_skeleton,
)

NOTHING = Snapshot(MemoryTree({}))
PARTS = {"data-preparation": "demo-preparation", "metrics": "demo-metrics", "model": "demo-model"}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """The three skeletons and the benchmark's draft, as `create` leaves them."""
    for role, name in PARTS.items():
        write_skeleton(tmp_path / name, name, role)
    write_benchmark_draft(tmp_path / "demo.yaml", "demo")
    return tmp_path


def pin(kind: str, record_id: str) -> Pin:
    del kind
    return Pin(id=record_id, revision=1, sha256="0" * 64)


def completed(path: Path, kind: str) -> Record:
    draft = read_draft(path)
    return record_from(draft, kind, complete(draft, kind, NOTHING, "anna", pin))


# --- the files -----------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_the_draft_comes_first_and_every_file_is_named(tmp_path: Path, role: str) -> None:
    written = write_skeleton(tmp_path / "new", "chest-x-ray", role)
    assert written[0] == tmp_path / "new" / "draft.yaml"
    assert sorted(written) == sorted(p for p in tmp_path.rglob("*") if p.is_file())
    assert not [path for path in written if "{{name}}" in path.read_text("utf-8")]
    assert {path.name for path in written} >= {"container_config.yaml", "README.md", "Dockerfile"}


@pytest.mark.parametrize("role", ROLES)
def test_a_skeleton_completes_into_a_valid_record(desk: Path, role: str) -> None:
    record = completed(desk / PARTS[role] / "draft.yaml", ROLES[role])
    assert isinstance(record, MLCube | Model)
    assert record.id == f"anna/{PARTS[role]}"
    assert record.image.type == "source"


@pytest.mark.parametrize("name", ["123", "on", "null", "1e3"])
def test_a_name_that_yaml_reads_otherwise_stays_a_name(tmp_path: Path, name: str) -> None:
    draft, *_ = write_skeleton(tmp_path / "new", name, "model")
    assert completed(draft, "model").record_id == f"anna/{name}"


def test_the_benchmark_draft_completes_into_a_valid_benchmark(desk: Path) -> None:
    draft = read_draft(desk / "demo.yaml")
    benchmark = untested(complete(draft, "benchmark", NOTHING, "anna", pin))
    assert benchmark.id == "anna/demo"
    assert benchmark.demo_data.files == 1


def test_the_policy_draft_completes_into_a_valid_policy(tmp_path: Path) -> None:
    path = write_policy_draft(tmp_path / "policy.yaml", "demo")
    benchmark = {"id": "anna/demo", "revision": 1, "sha256": "0" * 64}
    data = {"kind": "policy", "id": "anna/demo", "revision": 1, "benchmark": benchmark}
    assert build("policy", {**read_draft(path).data, **data})


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError) as caught:
        write_skeleton(tmp_path, "demo", "model")
    assert caught.value.code == "folder-exists"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert write_skeleton(tmp_path, "demo", "model")


def test_a_draft_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text("mine")
    with pytest.raises(InputError) as caught:
        write_benchmark_draft(tmp_path / "demo.yaml", "demo")
    assert caught.value.code == "file-exists"
    assert (tmp_path / "demo.yaml").read_text() == "mine"


@pytest.mark.parametrize("name", ["", "Demo", "a b", "../x", "a--b", "withdrawn", "x" * 65])
def test_a_name_that_no_record_could_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        write_skeleton(tmp_path / "new", name, "model")
    assert caught.value.code == "bad-name"
    assert not list(tmp_path.iterdir())


# --- plain processes -----------------------------------------------------------------------


def run_task(skeleton: Path, kind: str, task: str, volumes: Path) -> str:
    """Runs a task's command as it is; returns what it says on stderr if it fails."""
    record = completed(skeleton / "draft.yaml", kind)
    assert isinstance(record, MLCube | Model)
    for volume in record.tasks[task].output_volumes.values():  # type: ignore[index]
        place = volumes / Path(volume.mount_path).relative_to("/mlcommons/volumes")
        (place if volume.type == "directory" else place.parent).mkdir(parents=True, exist_ok=True)
    (volumes / "parameters").mkdir(exist_ok=True)
    (volumes / "parameters/parameters_file.yaml").write_bytes(emit_mapping(record.parameters))
    config = yaml.safe_load((skeleton / "container_config.yaml").read_text("utf-8"))
    program, script, *arguments = shlex.split(config["tasks"][task]["run_args"]["command"])
    assert program == "python3"
    done = subprocess.run(
        [sys.executable, "-I", skeleton / script.removeprefix("/"), *arguments],
        env={**os.environ, "MPGIT_VOLUMES": str(volumes)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (not done.stderr)
    return done.stderr


@pytest.fixture
def volumes(desk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("volumes")
    for name in ("raw_data", "raw_labels"):
        shutil.copytree(desk / "demo-preparation" / "demo", top / name)
    (top / "additional_files").mkdir()
    shutil.copy(desk / "demo-model" / "weights.json", top / "additional_files")
    return top


def prepare(desk: Path, volumes: Path) -> None:
    for task in ("prepare", "sanity_check", "statistics"):
        assert not run_task(desk / "demo-preparation", "mlcube", task, volumes)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_pipeline_measures_the_demo_data(desk: Path, volumes: Path) -> None:
    prepare(desk, volumes)
    assert "infection" not in (volumes / "data" / "cases.csv").read_text()
    statistics, cases = read_statistics(volumes / "statistics" / "statistics.yaml", "cases")
    assert cases == 30
    # One case lacks a heart rate: too few to be told.
    assert "missing" not in statistics["features"]["heart_rate"]
    assert not run_task(desk / "demo-model", "model", "infer", volumes)
    assert len(rows(volumes / "predictions" / "predictions.csv")) == 29
    assert not run_task(desk / "demo-metrics", "mlcube", "evaluate", volumes)
    benchmark = untested(
        complete(read_draft(desk / "demo.yaml"), "benchmark", NOTHING, "anna", pin)
    )
    (accuracy,), denominator = read_results(volumes / "results" / "results.yaml", benchmark)
    assert (denominator.cases, denominator.evaluated) == (30, 28)
    assert (denominator.failed, denominator.excluded) == (1, 1)
    assert accuracy.n == 28
    # By hand: 27 of 28 are right; Wilson's interval at 95 % is 0.8229…0.9937.
    assert accuracy.value == pytest.approx(27 / 28)
    assert (accuracy.low, accuracy.high) == pytest.approx((0.8229, 0.9937), abs=5e-5)


def test_data_and_labels_may_come_in_folders_of_their_own(desk: Path, volumes: Path) -> None:
    table = rows(volumes / "raw_data" / "raw.csv")
    for name, columns in (("raw_data", ["case", "age"]), ("raw_labels", ["case", "infection"])):
        lines = [",".join(columns), *(",".join(row[c] for c in columns) for row in table)]
        (volumes / name / "raw.csv").write_text("\n".join(lines) + "\n")
    prepare(desk, volumes)
    assert list(rows(volumes / "data" / "cases.csv")[0]) == ["case", "age"]


FAULTS: dict[str, tuple[str, str, str]] = {
    "no number": ("case-02,83,37.4,85,0", "case-02,83,high,85,0", "'high' is not a number"),
    "no label value": ("case-02,83,37.4,85,0", "case-02,83,37.4,85,yes", "is not 0, 1 or empty"),
    "a case twice": ("case-02,", "case-01,", "column case: empty, or there already"),
    "a cell too many": ("case-02,83,", "case-02,83,83,", "6 cells, not 5"),
    "no case column": ("case,age", "patient,age", "columns missing"),
    "a long feature name": ("case,age", "case,age at arrival", "not a short name"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_in_raw_data_are_said(desk: Path, volumes: Path, fault: str) -> None:
    before, after, said = FAULTS[fault]
    for folder in ("raw_data", "raw_labels"):
        path = volumes / folder / "raw.csv"
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))
    assert said in run_task(desk / "demo-preparation", "mlcube", "prepare", volumes)


def test_a_label_among_the_data_fails_the_sanity_check(desk: Path, volumes: Path) -> None:
    prepare(desk, volumes)
    shutil.copy(volumes / "raw_data" / "raw.csv", volumes / "data" / "cases.csv")
    said = run_task(desk / "demo-preparation", "mlcube", "sanity_check", volumes)
    assert "the label is among the features" in said


@pytest.mark.parametrize(
    ("lines", "cases"),
    [
        (["case-01,0.9", "case-02,nan", "case-03,2"], {"evaluated": 1, "failed": 28}),
        (["case-01,", "case-02,0.1"], {"evaluated": 1, "failed": 28}),
    ],
)
def test_useless_predictions_count_as_failed(
    desk: Path, volumes: Path, lines: list[str], cases: dict[str, int]
) -> None:
    prepare(desk, volumes)
    (volumes / "predictions").mkdir()
    text = "\n".join(["case,probability", *lines]) + "\n"
    (volumes / "predictions" / "predictions.csv").write_text(text)
    assert not run_task(desk / "demo-metrics", "mlcube", "evaluate", volumes)
    results: dict[str, Any] = json.loads((volumes / "results" / "results.yaml").read_text())
    assert results["cases"] == {"total": 30, "excluded": 1, **cases}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["case-01,0.9", "case-01,0.8"], "a case stands twice"),
        (["case-01,0.9", "somebody,0.8"], "1 cases that the labels do not have"),
        (["case-01,x"], "no case has both"),
    ],
)
def test_predictions_that_are_wrong_are_refused(
    desk: Path, volumes: Path, lines: list[str], said: str
) -> None:
    prepare(desk, volumes)
    (volumes / "predictions").mkdir()
    text = "\n".join(["case,probability", *lines]) + "\n"
    (volumes / "predictions" / "predictions.csv").write_text(text)
    assert said in run_task(desk / "demo-metrics", "mlcube", "evaluate", volumes)


# --- the whole client ----------------------------------------------------------------------


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh registry that anna founded."""
    monkeypatch.setenv("MPGIT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "registry.git"
    subprocess.run(["git", "init", "--quiet", "--bare", place], check=True)
    assert invoke(["key", "create", "--no-passphrase"]) == 0
    who = ["--participant", "anna", "--participant-name", "Anna", "--title", "Test"]
    assert invoke(["registry", "init", "test", f"file://{place}", *who, "--yes"]) == 0
    return place


def test_mpgit_test_runs_the_unmodified_drafts(
    desk: Path, registry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = ["-p", "demo-preparation/draft.yaml", "--metrics", "demo-metrics/draft.yaml"]
    parts += ["-m", "demo-model/draft.yaml", "--engine", "sandbox", "--json"]
    capsys.readouterr()
    assert invoke(["test", "-b", "demo.yaml", *parts]) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["verdict"] == "passed"
    assert outcome["denominator"]["evaluated"] == 28
