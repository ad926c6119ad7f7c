"""A model: reads prepared cases and writes a probability for each.

A logistic regression whose weights stand in ``weights.json``, one of the record's additional
files. A case that lacks a value gets no prediction; the metrics then count it as failed.

Example:
    $ python3 /project/infer.py && head -2 /mlcommons/volumes/predictions/predictions.csv
    case,probability
    case-01,0.31
"""

# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///

from __future__ import annotations

import csv
import json
import math
import os
from pathlib import Path
from typing import Any

# Where the engine mounts the volumes. Set MPGIT_VOLUMES to try the script without an engine.
VOLUMES = Path(os.environ.get("MPGIT_VOLUMES", "/mlcommons/volumes"))
DATA = VOLUMES / "data" / "cases.csv"
WEIGHTS = VOLUMES / "additional_files" / "weights.json"
PREDICTIONS = VOLUMES / "predictions" / "predictions.csv"


def probability(row: dict[str, str], model: dict[str, Any]) -> float | None:
    """Return a case's probability; None where a value is missing."""
    score = model["intercept"]
    for name, weight in model["weights"].items():
        text = row.get(name, "")
        if not text:
            return None
        mean, deviation = model["scale"][name]
        score += weight * (float(text) - mean) / deviation
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, score))))


def main() -> None:
    """Run the task."""
    model = json.loads(WEIGHTS.read_text("utf-8"))
    with (
        DATA.open(encoding="utf-8", newline="") as source,
        PREDICTIONS.open("w", encoding="utf-8", newline="") as target,
    ):
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(["case", "probability"])
        for row in csv.DictReader(source):
            value = probability(row, model)
            if value is not None:
                writer.writerow([row["case"], round(value, 6)])


if __name__ == "__main__":
    main()
