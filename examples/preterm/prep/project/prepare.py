"""Turn a hospital's CSV files into the benchmark's prepared data.

Reads every ``*.csv`` of the raw folders, checks each value, and writes ``data/patients.csv``
(pseudonymous case, covariates as numbers, empty where missing) and ``labels/labels.csv``. All
faults of the input are reported together on stderr, by file, line and column.

It does not impute, drop or correct anything, and no outcome goes into ``data/``: models see only
that folder.

    $ python3 /project/prepare.py
    ky.csv, line 7, column bmi: '230' is not between 10 and 80
"""

from __future__ import annotations

import csv
import hashlib
from typing import TYPE_CHECKING

from schema import (
    COVARIATES,
    LABEL,
    LABEL_COLUMNS,
    LABELS,
    OUTCOME,
    PATIENT_COLUMNS,
    PATIENTS,
    VOLUMES,
    Column,
    Row,
    covariates,
    encode,
    read_parameters,
    read_table,
    stop,
)

if TYPE_CHECKING:
    from pathlib import Path

RAW_DATA = VOLUMES / "raw_data"
RAW_LABELS = VOLUMES / "raw_labels"


def read_folder(folder: Path, columns: tuple[str, ...]) -> dict[str, Row]:
    """Return the rows of all CSV files of a folder, by patient."""
    paths = sorted(path for path in folder.glob("*.csv") if path.is_file())
    if not paths:
        stop([f"{folder.name}: no CSV file found"])
    rows: list[Row] = []
    faults: list[str] = []
    for path in paths:
        found, _, wrong = read_table(path, ("patient", *columns))
        rows += found
        faults += wrong
    stop(faults)
    return by_patient(rows)


def by_patient(rows: list[Row]) -> dict[str, Row]:
    """Index rows by patient; a patient without an id or with two rows is a fault."""
    index: dict[str, Row] = {}
    faults: list[str] = []
    for row in rows:
        patient = row.values["patient"].strip()
        if not patient:
            faults.append(row.fault("patient", "is empty"))
        elif patient in index:
            first = index[patient]
            faults.append(row.fault("patient", f"also in {first.file}, line {first.line}"))
        else:
            index[patient] = row
    if not rows:
        faults.append("the CSV files hold no patient")
    stop(faults)
    return index


def encode_rows(rows: dict[str, Row], columns: dict[str, Column]) -> dict[str, list[str]]:
    """Return each patient's encoded values, in the order of ``columns``."""
    faults: list[str] = []
    encoded: dict[str, list[str]] = {patient: [] for patient in rows}
    for patient, row in rows.items():
        for name, column in columns.items():
            try:
                encoded[patient].append(encode(row.values[name], column))
            except ValueError as error:
                faults.append(row.fault(name, error))
    stop(faults)
    return encoded


def shuffled(data: dict[str, list[str]]) -> list[str]:
    """Return the patients in an order that tells nothing about them.

    A hash of a patient number could be undone by trying all numbers; a running number can't. The
    order comes from the content, so that the same input always gives the same cases, and without
    the outcomes, so that no model could test a guess about them against it.
    """

    def key(patient: str) -> bytes:
        return hashlib.sha256("\x1f".join([patient, *data[patient]]).encode()).digest()

    return sorted(data, key=key)


def write(path: Path, header: tuple[str, ...], rows: list[list[str]]) -> None:
    """Write a CSV file with LF line ends."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    """Run the task."""
    raw = read_folder(RAW_DATA, tuple(COVARIATES))
    raw_labels = read_folder(RAW_LABELS, (OUTCOME,))
    stop(
        [row.fault("patient", "has no label row") for p, row in raw.items() if p not in raw_labels]
    )
    stop([row.fault("patient", "has no data row") for p, row in raw_labels.items() if p not in raw])
    data = encode_rows(raw, covariates(read_parameters()))
    labels = encode_rows(raw_labels, {OUTCOME: LABEL})
    order = shuffled(data)
    cases = {patient: f"case-{place:05d}" for place, patient in enumerate(order, start=1)}
    write(PATIENTS, PATIENT_COLUMNS, [[cases[p], *data[p]] for p in order])
    write(LABELS, LABEL_COLUMNS, [[cases[p], *labels[p]] for p in order])


if __name__ == "__main__":
    main()
