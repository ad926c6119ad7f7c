"""Check that prepared data are what the models and the metrics expect.

Reads ``data/patients.csv`` and ``labels/labels.csv`` and exits with 0 if their columns, values and
cases are right, else with 1 and the faults on stderr. It changes nothing, and can't tell whether
the values are true.

    $ python3 /project/sanity_check.py
    patients.csv, line 1, column birthweight_g: an outcome does not belong in the data
"""

from __future__ import annotations

from schema import (
    LABEL_COLUMNS,
    LABELS,
    OUTCOME,
    OUTCOMES,
    PATIENT_COLUMNS,
    PATIENTS,
    Column,
    Row,
    covariates,
    number,
    read_parameters,
    read_table,
    stop,
)


def check_header(file: str, header: list[str], expected: tuple[str, ...]) -> list[str]:
    """Return the faults of a header: only the expected columns, in their order."""
    faults = []
    for name in header:
        if name in OUTCOMES and name not in expected:
            faults.append(f"{file}, line 1, column {name}: an outcome does not belong in the data")
        elif name not in expected:
            faults.append(f"{file}, line 1, column {name}: is not expected")
    if not faults and tuple(header) != expected:
        faults.append(f"{file}, line 1: the columns are not in the expected order")
    return faults


def check_values(rows: list[Row], columns: dict[str, Column]) -> list[str]:
    """Return the faults of the values; an empty value is allowed."""
    faults = []
    for row in rows:
        for name, column in columns.items():
            try:
                if row.values[name]:
                    number(row.values[name], column)
            except ValueError as error:
                faults.append(row.fault(name, error))
    return faults


def check_cases(patients: list[Row], labels: list[Row]) -> list[str]:
    """Return the faults of the cases: unique, not empty, and the same in both files."""
    faults = []
    seen: list[set[str]] = []
    for rows in (patients, labels):
        cases: set[str] = set()
        for row in rows:
            case = row.values["case"]
            if not case or case in cases:
                faults.append(row.fault("case", f"{case!r} is not unique" if case else "is empty"))
            cases.add(case)
        seen.append(cases)
    if seen[0] != seen[1]:
        apart = len(seen[0] ^ seen[1])
        faults.append(f"patients.csv and labels.csv differ in {apart} cases")
    if not patients:
        faults.append("patients.csv: no cases")
    return faults


def main() -> None:
    """Run the task."""
    stop([f"{path.name}: not found" for path in (PATIENTS, LABELS) if not path.is_file()])
    patients, header, faults = read_table(PATIENTS, PATIENT_COLUMNS)
    labels, label_header, label_faults = read_table(LABELS, LABEL_COLUMNS)
    faults += check_header(PATIENTS.name, header, PATIENT_COLUMNS)
    faults += label_faults + check_header(LABELS.name, label_header, LABEL_COLUMNS)
    # Values can only be looked up once the columns are known to be there.
    stop(faults)
    faults = check_values(patients, covariates(read_parameters()))
    faults += check_values(labels, {OUTCOME: Column(0, 1, whole=True)})
    stop(faults + check_cases(patients, labels))


if __name__ == "__main__":
    main()
