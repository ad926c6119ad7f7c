"""Predict preterm birth by a clinical rule: a previous preterm birth means high risk.

The benchmark's reference model: nothing is learnt, everybody can check it by hand. It does not use
any other covariate. The two risks are round numbers of the usual size (about one in ten at large,
about three in ten after a preterm birth), fixed before any result was seen.

    $ python3 /project/infer.py && head -2 /mlcommons/volumes/predictions/predictions.csv
    case,probability
    case-00001,0.1
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

# Where the engine mounts the volumes. Tests set PRETERM_VOLUMES to a folder of the same shape.
VOLUMES = Path(os.environ.get("PRETERM_VOLUMES", "/mlcommons/volumes"))
PATIENTS = VOLUMES / "data" / "patients.csv"
PREDICTIONS = VOLUMES / "predictions" / "predictions.csv"

RISK = 0.1
RISK_AFTER_PRETERM_BIRTH = 0.3


def risk(patient: dict[str, str]) -> float:
    """Return a woman's risk; an unknown or impossible history counts as none."""
    return RISK_AFTER_PRETERM_BIRTH if patient["previous_preterm_birth"] == "1" else RISK


def main() -> None:
    """Run the task."""
    with PATIENTS.open(encoding="utf-8", newline="") as stream:
        rows = [[patient["case"], f"{risk(patient)}"] for patient in csv.DictReader(stream)]
    with PREDICTIONS.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([["case", "probability"], *rows])


if __name__ == "__main__":
    main()
