"""Metrics: holds predictions against labels and writes ``results.yaml``.

Accuracy with its Wilson interval, and what became of every case: ``evaluated`` (label and
prediction are there), ``failed`` (no usable prediction), ``excluded`` (label unknown). Only what
the benchmark declares leaves the site.

Example:
    $ python3 /project/evaluate.py && head -3 /mlcommons/volumes/results/results.yaml
    {
      "cases": {
        "total": 20,
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
import sys
from pathlib import Path
from statistics import NormalDist

# Where the engine mounts the volumes. Set MPGIT_VOLUMES to try the script without an engine.
VOLUMES = Path(os.environ.get("MPGIT_VOLUMES", "/mlcommons/volumes"))
PREDICTIONS = VOLUMES / "predictions" / "predictions.csv"
LABELS = VOLUMES / "labels" / "labels.csv"
PARAMETERS = VOLUMES / "parameters" / "parameters_file.yaml"
RESULTS = VOLUMES / "results" / "results.yaml"


def read_parameters() -> dict[str, str]:
    """Read the record's `parameters`: plain `key: value` lines."""
    lines = PARAMETERS.read_text("utf-8").splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {key.strip(): value.strip().strip("'\"") for key, _, value in pairs}


def read_column(path: Path, column: str) -> dict[str, str]:
    """Return a column's values by case; a case that stands twice ends the task."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [(row["case"], row[column] or "") for row in csv.DictReader(stream)]
    values = dict(rows)
    if len(values) != len(rows):
        sys.exit(f"{path.name}: a case stands twice")
    return values


def usable(text: str | None) -> float | None:
    """Return a prediction as a probability; None where it is missing or is none."""
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def wilson(right: int, n: int, confidence: float = 0.95) -> dict[str, float]:
    """Return a proportion with its Wilson score interval."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # Rounding must not move the interval's end past the value.
    low, high = max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))
    return {"value": share, "low": low, "high": high, "n": n}


def main() -> None:
    """Run the task."""
    parameters = read_parameters()
    threshold = float(parameters["threshold"])
    labels = read_column(LABELS, parameters["label"])
    predictions = read_column(PREDICTIONS, "probability")
    if unknown := predictions.keys() - labels.keys():
        sys.exit(f"{PREDICTIONS.name}: {len(unknown)} cases that the labels do not have")
    known = {case: label == "1" for case, label in labels.items() if label}
    risks = {case: usable(predictions.get(case)) for case in known}
    pairs = [(risk >= threshold, known[case]) for case, risk in risks.items() if risk is not None]
    if not pairs:
        sys.exit("no case has both a label and a usable prediction")
    right = sum(predicted == truth for predicted, truth in pairs)
    results = {
        "cases": {
            "total": len(labels),
            "evaluated": len(pairs),
            "failed": len(known) - len(pairs),
            "excluded": len(labels) - len(known),
        },
        "accuracy": wilson(right, len(pairs)),
    }
    # JSON is YAML.
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
