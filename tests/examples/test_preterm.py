"""Run the preterm example's MLCubes as an engine would: scripts, folders, exit codes.

Each script runs as a process of its own; ``PRETERM_VOLUMES`` stands in for the mounts. The images
are not built here: that needs Docker and takes minutes.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sklearn
from sklearn import metrics as sklearn_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "preterm"
MODELS = ("rule", "logistic", "forest")
HOSPITALS = ("ky", "ms", "ny")
DEMO = EXAMPLE / "demo" / "raw.csv"
VOLUMES = (
    "raw_data",
    "raw_labels",
    "parameters",
    "data",
    "labels",
    "statistics",
    "predictions",
    "results",
    "additional_files",
)


class Site:
    """A folder of volumes, and the tasks that can run on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in VOLUMES:
            (root / name).mkdir(parents=True)

    def run(self, mlcube: str, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script of an MLCube with its parameters and weights, from another folder."""
        folder = EXAMPLE / mlcube
        for source, target in (
            (folder / "parameters.yaml", self.root / "parameters" / "parameters_file.yaml"),
            (folder / "weights.json", self.root / "additional_files" / "weights.json"),
        ):
            if source.is_file():
                shutil.copy(source, target)
        return subprocess.run(
            [sys.executable, "-W", "error", str(folder / "project" / script)],
            env={
                **os.environ,
                "PRETERM_VOLUMES": str(self.root),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )

    def succeed(self, mlcube: str, script: str) -> None:
        """Run a script that must succeed without a word."""
        done = self.run(mlcube, script)
        assert (done.returncode, done.stderr) == (0, "")

    def fail(self, mlcube: str, script: str) -> str:
        """Run a script that must end with exit code 1, and return its message."""
        done = self.run(mlcube, script)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr

    def prepare(self, raw: Path) -> None:
        """Prepare a raw file."""
        self.receive(raw.read_text())
        self.succeed("prep", "prepare.py")

    def receive(self, text: str) -> None:
        """Put a raw file into both raw folders."""
        for name in ("raw_data", "raw_labels"):
            (self.root / name / "raw.csv").write_text(text)

    def table(self, name: str) -> list[dict[str, str]]:
        """Return the rows of a CSV file."""
        with (self.root / name).open(newline="") as stream:
            return list(csv.DictReader(stream))

    def results(self) -> dict[str, Any]:
        """Return the results."""
        found: dict[str, Any] = json.loads((self.root / "results" / "results.yaml").read_text())
        return found

    def predict(self, probabilities: dict[str, str]) -> None:
        """Write predictions by hand."""
        lines = [f"{case},{probability}" for case, probability in probabilities.items()]
        text = "\n".join(["case,probability", *lines, ""])
        (self.root / "predictions" / "predictions.csv").write_text(text)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site without data."""
    return Site(tmp_path / "site")


@pytest.fixture
def demo(site: Site) -> Site:
    """Return a site with the prepared demo data."""
    site.prepare(DEMO)
    return site


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted path and value of every leaf."""
    if not isinstance(value, dict):
        yield path, value
        return
    for key, below in value.items():
        assert re.fullmatch("[a-z][a-z0-9_]*", key)
        yield from leaves(below, f"{path}.{key}".lstrip("."))


@pytest.mark.parametrize("model", MODELS)
def test_pipeline_on_demo_data(demo: Site, model: str) -> None:
    demo.succeed("prep", "sanity_check.py")
    demo.succeed("prep", "describe.py")
    demo.succeed(f"models/{model}", "infer.py")
    demo.succeed("metrics", "evaluate.py")
    results = demo.results()
    cases = results["cases"]
    assert cases["total"] == 60
    assert cases["total"] == cases["evaluated"] + cases["failed"] + cases["excluded"]
    assert cases["excluded"] == 2
    for name in ("auroc", "sensitivity", "specificity", "brier"):
        metric = results[name]
        assert 0 <= metric["low"] <= metric["value"] <= metric["high"] <= 1
    assert results["sensitivity"]["n"] + results["specificity"]["n"] == cases["evaluated"]
    assert all(math.isfinite(value) for _, value in leaves(results))


def test_broken_model_is_refused(demo: Site) -> None:
    demo.succeed("models/broken", "infer.py")
    message = demo.fail("metrics", "evaluate.py")
    missing = sum(not row["bmi"] for row in demo.table("data/patients.csv"))
    assert f"{missing} of 60 probabilities are not numbers from 0 to 1" in message
    assert not (demo.root / "results" / "results.yaml").exists()


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_hospital_data_are_prepared_without_outcomes(site: Site, hospital: str) -> None:
    raw = EXAMPLE / "hospitals" / hospital / f"{hospital}.csv"
    site.prepare(raw)
    site.succeed("prep", "sanity_check.py")
    text = (site.root / "data" / "patients.csv").read_text()
    with raw.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert not any(row["patient"] in text for row in rows)
    header = text.splitlines()[0].split(",")
    assert not {"patient", "clinic", "preterm_birth", "gestational_age_days"} & set(header)
    assert len(site.table("labels/labels.csv")) == len(rows)


def test_labels_follow_their_patients(demo: Site) -> None:
    # Continuous covariates identify the demo's invented women.
    def key(row: dict[str, str]) -> tuple[float, float]:
        return float(row["probing_depth_mm"]), float(row["attachment_loss_mm"])

    with DEMO.open(newline="") as stream:
        raw = {key(row): row["preterm_birth"] for row in csv.DictReader(stream)}
    labels = {row["case"]: row["preterm_birth"] for row in demo.table("labels/labels.csv")}
    words = {"1": "Yes", "0": "No", "": ""}
    prepared = {key(row): words[labels[row["case"]]] for row in demo.table("data/patients.csv")}
    assert prepared == raw


def test_cases_do_not_depend_on_the_order_of_rows_or_on_outcomes(site: Site) -> None:
    site.prepare(DEMO)
    before = (site.root / "data" / "patients.csv").read_bytes()
    header, *lines = DEMO.read_text().splitlines()
    place = header.split(",").index("preterm_birth")
    changed = []
    for line in reversed(lines):
        cells = line.split(",")
        cells[place] = "No" if cells[place] == "Yes" else "Yes"
        changed.append(",".join(cells))
    site.receive("\n".join([header, *changed, ""]))
    site.succeed("prep", "prepare.py")
    assert (site.root / "data" / "patients.csv").read_bytes() == before


def cell(line: int, column: str, value: str) -> str:
    """Return the demo data with one cell changed; the header is line 1."""
    lines = DEMO.read_text().splitlines()
    cells = lines[line - 1].split(",")
    cells[lines[0].split(",").index(column)] = value
    lines[line - 1] = ",".join(cells)
    return "\n".join([*lines, ""])


BAD_VALUES = {
    "no number": (4, "bmi", "heavy", "'heavy' is not a number"),
    "not finite": (4, "bmi", "nan", "'nan' is not between 10 and 80"),
    "out of the parameters' range": (9, "age", "230", "'230' is not between 10 and 60"),
    "unknown word": (5, "tobacco", "maybe", "'maybe' is not one of: No, Yes"),
    "part of a pregnancy": (5, "n_previous_pregnancies", "1.5", "'1.5' is not a whole number"),
    "unknown outcome word": (6, "preterm_birth", "1", "'1' is not one of: No, Yes"),
    "patient twice": (7, "patient", "DEMO-001", "also in raw.csv, line 2"),
    "no patient": (7, "patient", "", "is empty"),
}


@pytest.mark.parametrize(("line", "column", "value", "why"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_prepare_names_a_bad_value(
    site: Site, line: int, column: str, value: str, why: str
) -> None:
    site.receive(cell(line, column, value))
    message = site.fail("prep", "prepare.py")
    assert f"raw.csv, line {line}, column {column}: {why}" in message
    assert not list((site.root / "data").iterdir())


def test_prepare_names_missing_columns_and_short_lines(site: Site) -> None:
    text = DEMO.read_text().replace(",bmi,", ",weight,", 1) + "DEMO-061,XX\n"
    site.receive(text)
    message = site.fail("prep", "prepare.py")
    assert "raw.csv, line 1, column bmi: is missing" in message
    assert "raw.csv, line 62: 2 cells where the header has 26" in message


def test_prepare_refuses_an_empty_folder_and_unmatched_patients(site: Site) -> None:
    assert "raw_data: no CSV file found" in site.fail("prep", "prepare.py")
    site.receive(DEMO.read_text())
    other = cell(2, "patient", "DEMO-999")
    (site.root / "raw_labels" / "raw.csv").write_text(other)
    assert "line 2, column patient: has no label row" in site.fail("prep", "prepare.py")


def test_sanity_check_refuses_outcomes_in_the_data(demo: Site) -> None:
    path = demo.root / "data" / "patients.csv"
    header, *lines = path.read_text().splitlines()
    worse = [f"{header},birthweight_g", *(f"{line},3000" for line in lines), ""]
    path.write_text("\n".join(worse))
    message = demo.fail("prep", "sanity_check.py")
    assert "column birthweight_g: an outcome does not belong in the data" in message


def test_sanity_check_compares_the_cases(demo: Site) -> None:
    path = demo.root / "labels" / "labels.csv"
    path.write_text("\n".join([*path.read_text().splitlines()[:-1], ""]))
    assert "differ in 1 cases" in demo.fail("prep", "sanity_check.py")


@pytest.mark.parametrize(
    "raw", [DEMO, *(EXAMPLE / "hospitals" / h / f"{h}.csv" for h in HOSPITALS)]
)
def test_statistics_are_finite_and_hold_no_small_cell(site: Site, raw: Path) -> None:
    site.prepare(raw)
    site.succeed("prep", "describe.py")
    found = json.loads((site.root / "statistics" / "statistics.yaml").read_text())
    cases = found["cases"]
    numbers = dict(leaves(found))
    assert all(type(value) in (int, float) and math.isfinite(value) for value in numbers.values())
    counts = {**found["outcome"], **found["previous_preterm_birth"]}
    assert all(count >= 5 and count % 5 == 0 for count in counts.values())
    assert all(fraction * cases > 4.9 for fraction in found["missing"].values())
    assert not [path for path in numbers if path.endswith((".min", ".max"))]


@pytest.mark.parametrize("value", ["nan", "", "high", "-0.1", "1.01", "inf"])
def test_evaluate_refuses_what_is_no_probability(demo: Site, value: str) -> None:
    cases = [row["case"] for row in demo.table("labels/labels.csv")]
    demo.predict({**dict.fromkeys(cases, "0.1"), cases[3]: value})
    message = demo.fail("metrics", "evaluate.py")
    assert (
        f"1 of 60 probabilities are not numbers from 0 to 1 (first: line 5, {value!r})" in message
    )


def test_evaluate_counts_failed_cases_and_refuses_unknown_ones(demo: Site) -> None:
    labels = demo.table("labels/labels.csv")
    known = [row["case"] for row in labels if row["preterm_birth"]]
    demo.predict(dict.fromkeys(known[4:], "0.1"))
    demo.succeed("metrics", "evaluate.py")
    cases = {"total": 60, "evaluated": 54, "failed": 4, "excluded": 2}
    assert demo.results()["cases"] == cases
    demo.predict({"case-99999": "0.1"})
    assert "case 'case-99999' is not in the labels" in demo.fail("metrics", "evaluate.py")


def test_evaluate_needs_two_of_each_class(demo: Site) -> None:
    labels = demo.table("labels/labels.csv")
    demo.predict({row["case"]: "0.1" for row in labels if row["preterm_birth"] == "0"})
    message = demo.fail("metrics", "evaluate.py")
    assert "only 0 evaluated preterm births; the metrics need at least 2" in message


def test_metrics_agree_with_scikit_learn(demo: Site) -> None:
    demo.succeed("models/forest", "infer.py")
    demo.succeed("metrics", "evaluate.py")
    labels = {row["case"]: row["preterm_birth"] for row in demo.table("labels/labels.csv")}
    rows = [row for row in demo.table("predictions/predictions.csv") if labels[row["case"]]]
    truth = [int(labels[row["case"]]) for row in rows]
    risk = [float(row["probability"]) for row in rows]
    results = demo.results()
    assert results["auroc"]["value"] == pytest.approx(
        sklearn_metrics.roc_auc_score(truth, risk), abs=1e-4
    )
    assert results["brier"]["value"] == pytest.approx(
        sklearn_metrics.brier_score_loss(truth, risk), abs=1e-4
    )
    high = sum(r >= 0.125 for r, t in zip(risk, truth, strict=True) if t)
    assert results["sensitivity"]["value"] == pytest.approx(high / sum(truth), abs=1e-4)


def load(path: Path) -> ModuleType:
    """Import a script by its path."""
    spec = importlib.util.spec_from_file_location(f"preterm_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_bootstrapped_auroc_is_the_one_of_scikit_learn() -> None:
    module = load(EXAMPLE / "metrics" / "project" / "evaluate.py")
    rng = np.random.default_rng(1)
    # Rounded, so that there are ties.
    positive, negative = rng.random((50, 8)).round(1), rng.random((50, 30)).round(1)
    truth = [1] * 8 + [0] * 30
    expected = [
        sklearn_metrics.roc_auc_score(truth, np.concatenate(pair))
        for pair in zip(positive, negative, strict=True)
    ]
    assert module.auroc(positive, negative, axis=-1) == pytest.approx(expected)


def test_evaluate_is_deterministic(demo: Site) -> None:
    demo.succeed("models/logistic", "infer.py")
    demo.succeed("metrics", "evaluate.py")
    before = demo.results()
    demo.succeed("metrics", "evaluate.py")
    assert demo.results() == before


def train(output: Path) -> dict[str, bytes]:
    """Train both models into a folder and return the weights files."""
    subprocess.run(
        [sys.executable, str(EXAMPLE / "train.py"), "--no-validation", "--output", str(output)],
        check=True,
    )
    return {name: (output / name / "weights.json").read_bytes() for name in ("logistic", "forest")}


def site_of_training(root: Path) -> Site:
    """Return a site with the prepared training data."""
    site = Site(root)
    site.prepare(EXAMPLE / "training" / "mn.csv")
    return site


def test_training_is_deterministic_and_gives_the_committed_weights(tmp_path: Path) -> None:
    first, second = train(tmp_path / "first"), train(tmp_path / "second")
    assert first == second
    for name, trained in first.items():
        committed = (EXAMPLE / "models" / name / "weights.json").read_bytes()
        assert len(committed) < 300_000
        if json.loads(committed)["origin"]["scikit_learn"] == sklearn.__version__:
            assert trained == committed
        else:
            # Another release may round or split in another way, but not learn something else.
            score = load(EXAMPLE / "models" / name / "project" / "infer.py").risk
            women = site_of_training(tmp_path / name).table("data/patients.csv")
            ours = [score(woman, json.loads(trained)) for woman in women]
            theirs = [score(woman, json.loads(committed)) for woman in women]
            assert ours == pytest.approx(theirs, abs=0.02)


@pytest.mark.parametrize("name", ["logistic", "forest"])
def test_weights_use_no_outcome(name: str) -> None:
    weights = json.loads((EXAMPLE / "models" / name / "weights.json").read_text())
    names = {covariate["name"] for covariate in weights["covariates"]}
    forbidden = {"preterm_birth", "gestational_age_days", "birthweight_g", "patient", "clinic"}
    assert names
    assert not names & forbidden


def test_demo_data_are_the_generator_s_and_hold_no_real_woman(tmp_path: Path) -> None:
    target = tmp_path / "raw.csv"
    subprocess.run([sys.executable, str(EXAMPLE / "make_demo.py"), str(target)], check=True)
    assert target.read_bytes() == DEMO.read_bytes()
    with DEMO.open(newline="") as stream:
        women = list(csv.DictReader(stream))
    assert {woman["clinic"] for woman in women} == {"XX"}
    assert all(woman["patient"].startswith("DEMO-") for woman in women)
    assert {woman["preterm_birth"] for woman in women} == {"Yes", "No", ""}
    real = [EXAMPLE / "training" / "mn.csv"]
    real += [EXAMPLE / "hospitals" / name / f"{name}.csv" for name in HOSPITALS]
    seen = set()
    for path in real:
        with path.open(newline="") as stream:
            seen |= {tuple(list(row.values())[2:]) for row in csv.DictReader(stream)}
    assert not seen & {tuple(list(woman.values())[2:]) for woman in women}


def test_container_configs_mount_only_what_a_task_may_see() -> None:
    configs = sorted(EXAMPLE.glob("**/container_config.yaml"))
    assert len(configs) == 6
    for path in configs:
        text = path.read_text()
        scripts = re.findall(r"command: python3 /project/(\w+\.py)$", text, re.MULTILINE)
        assert scripts
        assert all((path.parent / "project" / script).is_file() for script in scripts)
        if "infer:" in text:
            assert "label" not in text
