"""Predict preterm birth by a random forest whose trees are mounted as ``weights.json``.

The trees come from ``additional_files``, so the image holds none; they are plain JSON, because
loading a pickle would run whatever code it holds. It does not learn from the data that it sees.

    $ python3 /project/infer.py && head -2 /mlcommons/volumes/predictions/predictions.csv
    case,probability
    case-00001,0.091377
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

# Where the engine mounts the volumes. Tests set PRETERM_VOLUMES to a folder of the same shape.
VOLUMES = Path(os.environ.get("PRETERM_VOLUMES", "/mlcommons/volumes"))
PATIENTS = VOLUMES / "data" / "patients.csv"
WEIGHTS = VOLUMES / "additional_files" / "weights.json"
PREDICTIONS = VOLUMES / "predictions" / "predictions.csv"

LEAF = -1


def value(patient: dict[str, str], covariate: dict[str, Any]) -> float:
    """Return a covariate's value; a woman without previous pregnancies has no history: 0."""
    text = patient[covariate["name"]]
    if text:
        return float(text)
    if covariate["history"] and patient["previous_pregnancy"] == "0":
        return 0.0
    return float(covariate["median"])


def leaf_risk(tree: dict[str, Any], values: list[float]) -> float:
    """Walk down one tree and return the risk at the leaf."""
    node = 0
    while tree["covariate"][node] != LEAF:
        below = values[tree["covariate"][node]] <= tree["threshold"][node]
        node = tree["left"][node] if below else tree["right"][node]
    return float(tree["risk"][node])


def risk(patient: dict[str, str], weights: dict[str, Any]) -> float:
    """Return a woman's risk: the mean over the trees."""
    values = [value(patient, covariate) for covariate in weights["covariates"]]
    trees = weights["trees"]
    return sum(leaf_risk(tree, values) for tree in trees) / len(trees)


def main() -> None:
    """Run the task."""
    weights = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    with PATIENTS.open(encoding="utf-8", newline="") as stream:
        patients = list(csv.DictReader(stream))
    rows = [[patient["case"], f"{risk(patient, weights):.6f}"] for patient in patients]
    with PREDICTIONS.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([["case", "probability"], *rows])


if __name__ == "__main__":
    main()
