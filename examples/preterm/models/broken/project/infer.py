"""Predict preterm birth from age and body mass index, wrongly: fails where the BMI is missing.

A model with an ordinary mistake, for demonstrations of what a benchmark does about it: nobody
thought of missing values, so such women get ``nan`` as their probability, and the metrics MLCube
refuses the predictions. Do not use or repair it.

    $ python3 /project/infer.py && grep -c nan /mlcommons/volumes/predictions/predictions.csv
    6
"""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

# Where the engine mounts the volumes. Tests set PRETERM_VOLUMES to a folder of the same shape.
VOLUMES = Path(os.environ.get("PRETERM_VOLUMES", "/mlcommons/volumes"))
PATIENTS = VOLUMES / "data" / "patients.csv"
PREDICTIONS = VOLUMES / "predictions" / "predictions.csv"


def risk(patient: dict[str, str]) -> float:
    """Return a woman's risk by a formula without any thought for missing values."""
    age = float(patient["age"] or "nan")
    bmi = float(patient["bmi"] or "nan")
    return 1 / (1 + math.exp(2.2 - 0.002 * (age - 26) ** 2 - 0.001 * (bmi - 24) ** 2))


def main() -> None:
    """Run the task."""
    with PATIENTS.open(encoding="utf-8", newline="") as stream:
        rows = [[patient["case"], f"{risk(patient):.6f}"] for patient in csv.DictReader(stream)]
    with PREDICTIONS.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([["case", "probability"], *rows])


if __name__ == "__main__":
    main()
