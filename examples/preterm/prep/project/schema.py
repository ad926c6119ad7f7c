"""What the preterm data look like: columns, allowed values, files, parameters.

The three tasks of this MLCube (prepare, sanity_check, statistics) share this module, so that they
can't disagree about a column. It reads files; it does not write any, and decides nothing.

    >>> encode("Yes", COVARIATES["tobacco"])
    '1'
    >>> encode("many", COVARIATES["tobacco"])
    Traceback (most recent call last):
    ...
    ValueError: 'many' is not one of: No, Yes
"""

from __future__ import annotations

import csv
import math
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

# Where the engine mounts the volumes. Tests set PRETERM_VOLUMES to a folder of the same shape.
VOLUMES = Path(os.environ.get("PRETERM_VOLUMES", "/mlcommons/volumes"))
PARAMETERS = VOLUMES / "parameters" / "parameters_file.yaml"
PATIENTS = VOLUMES / "data" / "patients.csv"
LABELS = VOLUMES / "labels" / "labels.csv"

OUTCOME = "preterm_birth"
OUTCOMES = ("preterm_birth", "gestational_age_days", "birthweight_g")
LABEL_COLUMNS = ("case", OUTCOME)
SHOWN_FAULTS = 20


@dataclass(frozen=True)
class Column:
    """The allowed values of one covariate: words with their codes, or a range of numbers."""

    low: float
    """The smallest allowed number (after encoding)."""
    high: float
    """The largest allowed number (after encoding)."""
    words: dict[str, str] = field(default_factory=dict)
    """For a categorical column: each word in the raw data, and the number that it becomes."""
    whole: bool = False
    """Only whole numbers are allowed."""


def yes_no(no: str = "No", yes: str = "Yes") -> Column:
    """Return a column of two words."""
    return Column(0, 1, {no: "0", yes: "1"}, whole=True)


EDUCATION = {"LT 8 yrs": "0", "8-12 yrs": "1", "MT 12 yrs": "2"}

# Everything that is known at the baseline visit; an outcome must never be added here.
COVARIATES: dict[str, Column] = {
    "age": Column(10, 60),
    "black": yes_no(),
    "white": yes_no(),
    "hispanic": yes_no(),
    "education": Column(0, 2, EDUCATION, whole=True),
    "public_assistance": yes_no(),
    "hypertension": yes_no("N", "Y"),
    "diabetes": yes_no(),
    "bmi": Column(10, 80),
    "tobacco": yes_no(),
    "alcohol": yes_no(),
    "drug_addiction": yes_no(),
    "previous_pregnancy": yes_no(),
    "n_previous_pregnancies": Column(0, 30, whole=True),
    "previous_preterm_birth": yes_no(),
    "previous_stillbirth": yes_no(),
    "previous_spontaneous_abortion": yes_no(),
    "gingival_index": Column(0, 3),
    "bleeding_on_probing_pct": Column(0, 100),
    "probing_depth_mm": Column(0, 15),
    "attachment_loss_mm": Column(-10, 20),
}
LABEL = yes_no()
PATIENT_COLUMNS = ("case", *COVARIATES)


@dataclass(frozen=True)
class Row:
    """One line of a CSV file, with its place for messages."""

    file: str
    line: int
    values: dict[str, str]

    def fault(self, column: str, why: object) -> str:
        """Return a message that names the file, the line and the column."""
        return f"{self.file}, line {self.line}, column {column}: {why}"


def number(text: str, column: Column) -> float:
    """Return the number that ``text`` spells, or raise ValueError saying what is wrong."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not math.isfinite(value) or not column.low <= value <= column.high:
        raise ValueError(f"{text!r} is not between {column.low:g} and {column.high:g}")
    if column.whole and value != int(value):
        raise ValueError(f"{text!r} is not a whole number")
    return value


def encode(text: str, column: Column) -> str:
    """Return the prepared spelling of a raw value; empty stays empty."""
    text = text.strip()
    if not text:
        return ""
    if not column.words:
        return format(number(text, column), ".10g")
    if text not in column.words:
        raise ValueError(f"{text!r} is not one of: {', '.join(column.words)}")
    return column.words[text]


def read_table(path: Path, required: tuple[str, ...]) -> tuple[list[Row], list[str], list[str]]:
    """Return the rows, the header and the faults of one CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        header = [name.strip() for name in next(reader, [])]
        rows, faults = [], []
        for cells in reader:
            if len(cells) == len(header):
                values = dict(zip(header, cells, strict=True))
                rows.append(Row(path.name, reader.line_num, values))
            elif cells:
                found = f"{len(cells)} cells where the header has {len(header)}"
                faults.append(f"{path.name}, line {reader.line_num}: {found}")
    for name in required:
        if header.count(name) != 1:
            how = "is missing" if name not in header else "occurs more than once"
            faults.append(f"{path.name}, line 1, column {name}: {how}")
    return rows, header, faults


def read_parameters(path: Path = PARAMETERS) -> dict[str, float]:
    """Read ``key: number`` lines; blank lines, comments and ``---`` are skipped."""
    found: dict[str, float] = {}
    for place, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.split("#")[0].strip()
        if text in ("", "---"):
            continue
        key, _, value = text.partition(":")
        try:
            found[key.strip().strip("\"'")] = float(value)
        except ValueError:
            stop([f"{path.name}, line {place}: expected `key: number`, found {line!r}"])
    return found


def covariates(parameters: dict[str, float]) -> dict[str, Column]:
    """Return the covariates with the ranges that the parameters set."""
    changed = dict(COVARIATES)
    for name in ("age", "bmi"):
        column = COVARIATES[name]
        low = parameters.get(f"minimum_{name}", column.low)
        high = parameters.get(f"maximum_{name}", column.high)
        changed[name] = Column(low, high)
    return changed


def stop(faults: list[str]) -> None:
    """End the task with exit code 1 and the faults on stderr; do nothing if there are none."""
    if not faults:
        return
    for fault in faults[:SHOWN_FAULTS]:
        print(fault, file=sys.stderr)
    if len(faults) > SHOWN_FAULTS:
        print(f"... and {len(faults) - SHOWN_FAULTS} more faults", file=sys.stderr)
    sys.exit(1)
