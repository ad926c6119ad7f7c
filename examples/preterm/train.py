"""Train the two learning models of the example from the hospital MN, and write their weights.

Reads ``training/mn.csv`` through the preparation MLCube, so that the models learn from exactly what
they will see at the other hospitals, and writes ``models/logistic/weights.json`` and
``models/forest/weights.json``: plain JSON, rounded and seeded, the same bytes on every run. It
prints the cross-validated AUROC: the honest number for MN, and no better than chance.

What it does not do: look at KY, MS or NY; use an outcome, the clinic or the patient number as a
covariate; tune anything. The covariates and settings were fixed beforehand: 25 preterm births are
too few to choose between many. Race and ethnicity are left out: they would stand in for causes that
differ between hospitals.

The decision threshold (0.125, in ``metrics/parameters.yaml``) isn't learnt here. It is the
benchmark's, the same for all models: about the preterm rate of the United States in the years of
the trial (one in eight), so that a woman counts as high risk if the model puts her above the
average; equally, it weighs one missed preterm birth like seven false alarms.

    $ python3 train.py
    logistic: cross-validated AUROC 0.423 (20 x 5 folds, sd 0.128 between folds)
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).resolve().parent
SEED = 20061102
DECIMALS = 6
FOLDS, REPEATS = 5, 20

# Known at the baseline visit, and long known to bear on preterm birth.
COVARIATES = (
    "age",
    "bmi",
    "hypertension",
    "diabetes",
    "tobacco",
    "public_assistance",
    "n_previous_pregnancies",
    "previous_preterm_birth",
    "previous_stillbirth",
    "probing_depth_mm",
)
# Empty because there was no previous pregnancy means 0, not unknown.
HISTORY = frozenset({"n_previous_pregnancies", "previous_preterm_birth", "previous_stillbirth"})

Numbers = NDArray[np.float64]


def prepare(raw: Path, volumes: Path) -> None:
    """Run the preparation MLCube's script on one CSV file, below ``volumes``."""
    for name in ("raw_data", "raw_labels", "parameters", "data", "labels"):
        (volumes / name).mkdir()
    shutil.copy(raw, volumes / "raw_data")
    shutil.copy(raw, volumes / "raw_labels")
    parameters = HERE / "prep" / "parameters.yaml"
    shutil.copy(parameters, volumes / "parameters" / "parameters_file.yaml")
    settings = {"PRETERM_VOLUMES": str(volumes), "PYTHONDONTWRITEBYTECODE": "1"}
    script = HERE / "prep" / "project" / "prepare.py"
    subprocess.run([sys.executable, str(script)], env={**os.environ, **settings}, check=True)


def covariate(patient: dict[str, str], name: str) -> float:
    """Return a covariate's value, NaN if unknown; must agree with the infer scripts' ``value``."""
    if patient[name]:
        return float(patient[name])
    return 0.0 if name in HISTORY and patient["previous_pregnancy"] == "0" else np.nan


def load(raw: Path) -> tuple[Numbers, Numbers]:
    """Return covariates and outcomes of the women whose outcome is known."""
    with tempfile.TemporaryDirectory() as folder:
        volumes = Path(folder)
        prepare(raw, volumes)
        with (volumes / "data" / "patients.csv").open(newline="") as stream:
            patients = list(csv.DictReader(stream))
        with (volumes / "labels" / "labels.csv").open(newline="") as stream:
            labels = {row["case"]: row["preterm_birth"] for row in csv.DictReader(stream)}
    known = [patient for patient in patients if labels[patient["case"]]]
    values = [[covariate(patient, name) for name in COVARIATES] for patient in known]
    return np.array(values), np.array([float(labels[patient["case"]]) for patient in known])


def logistic() -> Pipeline:
    """Return the untrained logistic regression; strongly shrunk, because preterm births are few."""
    model = LogisticRegression(C=0.1, tol=1e-10, max_iter=10_000)
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), model)


def forest() -> Pipeline:
    """Return the untrained random forest; small and with large leaves, for the same reason."""
    model = RandomForestClassifier(100, max_depth=4, min_samples_leaf=10, random_state=SEED)
    return make_pipeline(SimpleImputer(strategy="median"), model)


def cross_validate(name: str, model: Pipeline, values: Numbers, outcomes: Numbers) -> None:
    """Print the cross-validated AUROC."""
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=SEED)
    areas = cross_val_score(model, values, outcomes, scoring="roc_auc", cv=folds, n_jobs=-1)
    spread = f"{REPEATS} x {FOLDS} folds, sd {areas.std():.3f} between folds"
    print(f"{name}: cross-validated AUROC {areas.mean():.3f} ({spread})")


def rounded(numbers: Any) -> list[float]:
    """Return plain rounded floats."""
    # Adding 0.0 turns -0.0 into 0.0.
    return [round(float(number), DECIMALS) + 0.0 for number in numbers]


def described(model: Pipeline, **more: list[float]) -> list[dict[str, Any]]:
    """Return each covariate's record: how to fill a gap, and more numbers by name."""
    columns = {"median": rounded(model[0].statistics_), **more}
    return [
        {
            "name": name,
            "history": name in HISTORY,
            **{key: numbers[place] for key, numbers in columns.items()},
        }
        for place, name in enumerate(COVARIATES)
    ]


def logistic_weights(model: Pipeline) -> dict[str, Any]:
    """Return the trained regression as plain data."""
    scaler, regression = model[1], model[2]
    covariates = described(
        model,
        mean=rounded(scaler.mean_),
        scale=rounded(scaler.scale_),
        coefficient=rounded(regression.coef_[0]),
    )
    return {"intercept": rounded(regression.intercept_)[0], "covariates": covariates}


def tree_weights(tree: Any) -> dict[str, Any]:
    """Return one trained tree as plain data: parallel lists by node; a leaf's covariate is -1."""
    leaf = tree.children_left == -1
    # Counts in old releases of scikit-learn, fractions in new ones: the ratio is the same.
    counts = tree.value[:, 0, :]
    return {
        "covariate": [int(place) for place in np.where(leaf, -1, tree.feature)],
        "threshold": rounded(np.where(leaf, 0.0, tree.threshold)),
        "left": [int(node) for node in tree.children_left],
        "right": [int(node) for node in tree.children_right],
        "risk": rounded(np.where(leaf, counts[:, 1] / counts.sum(axis=1), 0.0)),
    }


def forest_weights(model: Pipeline) -> dict[str, Any]:
    """Return the trained forest as plain data."""
    trees = [tree_weights(estimator.tree_) for estimator in model[1].estimators_]
    return {"covariates": described(model), "trees": trees}


def write(path: Path, weights: dict[str, Any], outcomes: Numbers) -> None:
    """Write a weights file, with a note of where it comes from."""
    origin = {
        "hospital": "MN",
        "women": len(outcomes),
        "preterm_births": int(outcomes.sum()),
        "seed": SEED,
        "scikit_learn": sklearn.__version__,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"origin": origin, **weights}, separators=(",", ":"))
    path.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Train, report and write."""
    parser = argparse.ArgumentParser(description="Train the logistic regression and the forest.")
    parser.add_argument("--output", type=Path, default=HERE / "models", help="default: models/")
    parser.add_argument("--no-validation", action="store_true", help="skip the cross-validation")
    options = parser.parse_args()
    values, outcomes = load(HERE / "training" / "mn.csv")
    for name, model, weigh in (
        ("logistic", logistic(), logistic_weights),
        ("forest", forest(), forest_weights),
    ):
        if not options.no_validation:
            cross_validate(name, model, values, outcomes)
        weights = weigh(model.fit(values, outcomes))
        write(options.output / name / "weights.json", weights, outcomes)


if __name__ == "__main__":
    main()
