"""Data preparation: a table of cases becomes prepared data and labels.

Three tasks, one argument: ``prepare``, ``sanity_check``, ``statistics``. Raw data is any number
of CSV files with a column ``case``, numbers as features, and the label in a column of its own
(0, 1 or empty for unknown). Every fault is reported on stderr by file, line and column.

Nothing is imputed or corrected, and no label goes into the data: models see only that folder.

Example:
    $ python3 /project/preparation.py prepare
    visits.csv, line 7, column temperature: 'high' is not a number
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
import re
import sys
from pathlib import Path
from statistics import fmean, pstdev
from typing import NoReturn

# Where the engine mounts the volumes. Set MPGIT_VOLUMES to try the script without an engine.
VOLUMES = Path(os.environ.get("MPGIT_VOLUMES", "/mlcommons/volumes"))
RAW_DATA = VOLUMES / "raw_data"
RAW_LABELS = VOLUMES / "raw_labels"
PARAMETERS = VOLUMES / "parameters" / "parameters_file.yaml"
DATA = VOLUMES / "data" / "cases.csv"
LABELS = VOLUMES / "labels" / "labels.csv"
STATISTICS = VOLUMES / "statistics" / "statistics.yaml"

CASE = "case"
LABEL_VALUES = ("0", "1", "")
FEATURE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
SHOWN_FAULTS = 20

Table = dict[str, dict[str, str]]
"""Rows by case; each row has its values by column."""


def stop(faults: list[str]) -> NoReturn:
    """End the task with exit code 1 and the faults on stderr."""
    more = [f"... and {len(faults) - SHOWN_FAULTS} more"] if len(faults) > SHOWN_FAULTS else []
    sys.exit("\n".join(faults[:SHOWN_FAULTS] + more))


def read_parameters() -> dict[str, str]:
    """Read the record's `parameters`: plain `key: value` lines."""
    lines = PARAMETERS.read_text("utf-8").splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {key.strip(): value.strip().strip("'\"") for key, _, value in pairs}


def read_table(paths: list[Path], where: str) -> Table:
    """Read CSV files that have the same columns, one of them `case`."""
    table: Table = {}
    columns: list[str] = []
    faults = [] if paths else [f"{where}: no CSV file"]
    for path in paths:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = [name.strip() for name in next(reader, [])]
            columns = columns or header
            if header != columns or CASE not in header or len(set(header)) != len(header):
                faults.append(f"{path.name}, line 1: columns missing, twice or not as elsewhere")
                continue
            for cells in reader:
                row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
                place = f"{path.name}, line {reader.line_num}"
                if len(cells) != len(header):
                    faults.append(f"{place}: {len(cells)} cells, not {len(header)}")
                elif not row[CASE] or row[CASE] in table:
                    faults.append(f"{place}, column {CASE}: empty, or there already")
                else:
                    table[row[CASE]] = row
    if not table and not faults:
        faults.append(f"{where}: no cases")
    if faults:
        stop(faults)
    return table


def write_table(path: Path, rows: list[dict[str, str]], columns: list[str]) -> None:
    """Write a CSV file with LF line ends."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def faults_of(data: Table, labels: Table, label: str) -> list[str]:
    """Say what is wrong with features and labels."""
    found = []
    features = list(next(iter(data.values())))
    if label in features:
        found.append(f"{DATA.name}, column {label}: the label is among the features")
    odd = [name for name in features if not FEATURE_NAME.fullmatch(name)]
    found += [f"{DATA.name}, column {name!r}: not a short name" for name in odd]
    for case, row in data.items():
        for name, text in row.items():
            if name != CASE and not is_number(text):
                found.append(f"case {case}, column {name}: {text!r} is not a number")
    for case, row in labels.items():
        if row.get(label) not in LABEL_VALUES:
            found.append(f"case {case}, column {label}: {row.get(label)!r} is not 0, 1 or empty")
    apart = len(data.keys() ^ labels.keys())
    if apart:
        found.append(f"data and labels differ in {apart} cases")
    return found


def is_number(text: str) -> bool:
    """Whether a feature is empty or a finite number."""
    try:
        return not text or math.isfinite(float(text))
    except ValueError:
        return False


def prepare(label: str) -> None:
    """Raw data and labels, in folders that may be the same, become prepared ones."""
    data = read_table(sorted(RAW_DATA.glob("*.csv")), RAW_DATA.name)
    labels = read_table(sorted(RAW_LABELS.glob("*.csv")), RAW_LABELS.name)
    features = [name for name in next(iter(data.values())) if name != label]
    kept = {case: {name: row[name] for name in features} for case, row in data.items()}
    faults = faults_of(kept, labels, label)
    if faults:
        stop(faults)
    # The order of the raw files may tell something about patients; that of the cases does not.
    write_table(DATA, [kept[case] for case in sorted(kept)], features)
    write_table(LABELS, [labels[case] for case in sorted(labels)], [CASE, label])


def sanity_check(label: str) -> None:
    """Prepared data is what models and metrics expect; the exit code says so."""
    faults = faults_of(read_table([DATA], DATA.name), read_table([LABELS], LABELS.name), label)
    if faults:
        stop(faults)


def describe(label: str, smallest_cell: int) -> None:
    """Write what may be published: numbers only, and no count that tells of a few patients."""
    data, labels = read_table([DATA], DATA.name), read_table([LABELS], LABELS.name)
    total = len(data)

    def counted(name: str, count: int) -> dict[str, int]:
        # The rest follows by subtraction, so that it must not be small either.
        return {name: count} if smallest_cell <= count <= total - smallest_cell else {}

    features = {}
    for name in list(next(iter(data.values()))):
        values = [float(row[name]) for row in data.values() if name != CASE and row[name]]
        if len(values) >= max(2, smallest_cell):
            features[name] = {
                "mean": round(fmean(values), 4),
                "standard_deviation": round(pstdev(values), 4),
                **counted("missing", total - len(values)),
            }
    positive = sum(row[label] == "1" for row in labels.values())
    report = {"cases": total, **counted("positive", positive), "features": features}
    # JSON is YAML.
    STATISTICS.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


def main(arguments: list[str]) -> None:
    """Run one task."""
    parameters = read_parameters()
    label = parameters["label"]
    match arguments:
        case ["prepare"]:
            prepare(label)
        case ["sanity_check"]:
            sanity_check(label)
        case ["statistics"]:
            describe(label, int(parameters["smallest_cell"]))
        case _:
            sys.exit("usage: preparation.py prepare|sanity_check|statistics")


if __name__ == "__main__":
    main(sys.argv[1:])
