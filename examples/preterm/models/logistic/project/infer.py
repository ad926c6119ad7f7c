"""Predict preterm birth by a logistic regression whose weights are mounted as ``weights.json``.

The weights come from ``additional_files``, so the image holds none. Missing values are replaced by
the training hospital's median, as in training. It does not learn from the data that it sees.

    $ python3 /project/infer.py && head -2 /mlcommons/volumes/predictions/predictions.csv
    case,probability
    case-00001,0.084213
"""

from __future__ import annotations

import csv
import json
import math
import os
from pathlib import Path
from typing import Any

# Where the engine mounts the volumes. Tests set PRETERM_VOLUMES to a folder of the same shape.
VOLUMES = Path(os.environ.get("PRETERM_VOLUMES", "/mlcommons/volumes"))
PATIENTS = VOLUMES / "data" / "patients.csv"
WEIGHTS = VOLUMES / "additional_files" / "weights.json"
PREDICTIONS = VOLUMES / "predictions" / "predictions.csv"


def value(patient: dict[str, str], covariate: dict[str, Any]) -> float:
    """Return a covariate's value; a woman without previous pregnancies has no history: 0."""
    text = patient[covariate["name"]]
    if text:
        return float(text)
    if covariate["history"] and patient["previous_pregnancy"] == "0":
        return 0.0
    return float(covariate["median"])


def risk(patient: dict[str, str], weights: dict[str, Any]) -> float:
    """Return a woman's risk."""
    total = weights["intercept"]
    for covariate in weights["covariates"]:
        standardised = (value(patient, covariate) - covariate["mean"]) / covariate["scale"]
        total += covariate["coefficient"] * standardised
    # tanh can't overflow, however extreme the covariates.
    return 0.5 * (1 + math.tanh(total / 2))


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
