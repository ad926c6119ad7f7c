"""Describe prepared data by numbers that are safe to publish (the task ``statistics``).

Writes ``statistics.yaml``: a nested mapping of finite numbers (JSON, which is YAML). Only means,
standard deviations and counts: no minimum or maximum, which belong to single women. With the
parameter ``smallest_cell`` (5), a count under 5 is left out, and every other count but the total is
rounded to a multiple of 5, so that a left-out count can't be found by subtraction. Fractions come
from the rounded counts.

It does not name the hospital. (The file is called ``describe.py``: a ``statistics.py`` beside the
scripts would hide the module of the standard library.)

    $ python3 /project/describe.py && head -2 /mlcommons/volumes/statistics/statistics.yaml
    {
      "cases": 211,
"""

from __future__ import annotations

import json
import statistics

from schema import (
    COVARIATES,
    LABEL_COLUMNS,
    LABELS,
    OUTCOME,
    PATIENT_COLUMNS,
    PATIENTS,
    VOLUMES,
    Row,
    read_parameters,
    read_table,
    stop,
)

OUTPUT = VOLUMES / "statistics" / "statistics.yaml"
SUMMARISED = ("age", "bmi")


def safe_counts(counts: dict[str, int], cell: int) -> dict[str, int]:
    """Round counts to a multiple of ``cell``, and leave out those under it."""
    return {
        name: cell * ((2 * count + cell) // (2 * cell))
        for name, count in counts.items()
        if count >= cell
    }


def summary(values: list[float], cell: int) -> dict[str, float]:
    """Return mean and standard deviation, or nothing if too few women have a value."""
    if len(values) < max(cell, 2):
        return {}
    return {"mean": round(statistics.mean(values), 1), "sd": round(statistics.stdev(values), 1)}


def outcome_counts(labels: list[Row]) -> dict[str, int]:
    """Count the outcomes."""
    found = [row.values[OUTCOME] for row in labels]
    return {"preterm": found.count("1"), "term": found.count("0"), "unknown": found.count("")}


def history_counts(patients: list[Row]) -> dict[str, int]:
    """Count the histories; keys like ``yes`` and ``no`` would be booleans in YAML 1.1."""
    counts = {"with_history": 0, "without_history": 0, "no_previous_pregnancy": 0, "unknown": 0}
    names = {"1": "with_history", "0": "without_history"}
    for row in patients:
        name = names.get(row.values["previous_preterm_birth"], "unknown")
        if name == "unknown" and row.values["previous_pregnancy"] == "0":
            name = "no_previous_pregnancy"
        counts[name] += 1
    return counts


def missing_fractions(patients: list[Row], cell: int) -> dict[str, float]:
    """Return the fraction of missing values of each column that has enough of them."""
    counts = {name: sum(not row.values[name] for row in patients) for name in COVARIATES}
    total = len(patients)
    return {
        name: round(min(count, total) / total, 4)
        for name, count in safe_counts(counts, cell).items()
    }


def describe(patients: list[Row], labels: list[Row], cell: int) -> dict[str, object]:
    """Return the description."""
    found: dict[str, object] = {"cases": len(patients)}
    found["outcome"] = safe_counts(outcome_counts(labels), cell)
    for name in SUMMARISED:
        values = [float(row.values[name]) for row in patients if row.values[name]]
        found[name] = summary(values, cell)
    found["previous_preterm_birth"] = safe_counts(history_counts(patients), cell)
    found["missing"] = missing_fractions(patients, cell)
    # An empty mapping tells nothing, and readers expect numbers at the leaves.
    return {name: value for name, value in found.items() if value != {}}


def main() -> None:
    """Run the task."""
    patients, _, faults = read_table(PATIENTS, PATIENT_COLUMNS)
    labels, _, label_faults = read_table(LABELS, LABEL_COLUMNS)
    stop(faults + label_faults)
    cell = max(1, int(read_parameters().get("smallest_cell", 5)))
    if len(patients) < cell:
        stop([f"{PATIENTS.name}: fewer than {cell} cases, too few to describe"])
    text = json.dumps(describe(patients, labels, cell), indent=2)
    OUTPUT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
