"""Make the benchmark's public demo data: 60 invented women.

Writes ``demo/raw.csv`` with the columns of the hospitals' files. Every column is drawn by itself
from round numbers in this script; no real file is read, so no real woman can be in it. The ids
(``DEMO-001``) and the clinic (``XX``) show it.

What it does not do: resemble a population. The outcome is drawn without regard to the covariates,
so no model can be good on these data, and scores on them mean nothing: they show that an MLCube
runs. Missing values are there on purpose.

    $ python3 make_demo.py && head -1 demo/raw.csv | cut -c 1-23
    patient,clinic,age,blac
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

SEED = 7
WOMEN = 60
FILE = Path(__file__).resolve().parent / "demo" / "raw.csv"
YES, NO, UNKNOWN = "Yes", "No", ""


def flag(rng: random.Random, yes: float, unknown: float = 0.0) -> str:
    """Draw Yes, No or unknown."""
    draw = rng.random()
    if draw < unknown:
        return UNKNOWN
    return YES if draw < unknown + yes else NO


def between(rng: random.Random, low: float, high: float, digits: int) -> str:
    """Draw a number, more often from the middle of its range."""
    return f"{low + (high - low) * (rng.random() + rng.random()) / 2:.{digits}f}"


def history(rng: random.Random) -> dict[str, str]:
    """Draw the obstetric history; without a previous pregnancy the rest is empty."""
    pregnant_before = flag(rng, 0.7)
    drawn = {
        "n_previous_pregnancies": f"{1 + int(5 * rng.random() * rng.random()):.1f}",
        "previous_preterm_birth": flag(rng, 0.2),
        "previous_stillbirth": flag(rng, 0.05),
        "previous_spontaneous_abortion": flag(rng, 0.4, unknown=0.3),
    }
    if pregnant_before == NO:
        drawn = dict.fromkeys(drawn, UNKNOWN)
    return {"previous_pregnancy": pregnant_before, **drawn}


def outcome(rng: random.Random) -> dict[str, str]:
    """Draw the outcome, and a duration and weight that suit it (37 weeks are 259 days)."""
    preterm = flag(rng, 0.25, unknown=0.05)
    early = preterm == YES
    days = between(rng, 200, 258, 0) if early else between(rng, 259, 294, 0)
    weight = between(rng, 1000, 2800, 1) if early else between(rng, 2500, 4300, 1)
    if preterm == UNKNOWN:
        weight = UNKNOWN
    return {"preterm_birth": preterm, "gestational_age_days": days, "birthweight_g": weight}


def woman(rng: random.Random, place: int) -> dict[str, str]:
    """Draw one woman."""
    return {
        "patient": f"DEMO-{place:03d}",
        "clinic": "XX",
        "age": between(rng, 16, 42, 0),
        "black": flag(rng, 0.4),
        "white": flag(rng, 0.4),
        "hispanic": flag(rng, 0.3, unknown=0.15),
        "education": rng.choice(["LT 8 yrs", "8-12 yrs", "8-12 yrs", "MT 12 yrs"]),
        "public_assistance": flag(rng, 0.7),
        "hypertension": {YES: "Y", NO: "N"}[flag(rng, 0.05)],
        "diabetes": flag(rng, 0.05),
        "bmi": between(rng, 17, 42, 1) if flag(rng, 0.88) == YES else UNKNOWN,
        "tobacco": flag(rng, 0.15, unknown=0.05),
        "alcohol": flag(rng, 0.05, unknown=0.05),
        "drug_addiction": flag(rng, 0.05, unknown=0.05),
        **history(rng),
        "gingival_index": between(rng, 0.4, 2.8, 3),
        "bleeding_on_probing_pct": between(rng, 36, 100, 3),
        "probing_depth_mm": between(rng, 2, 6, 3),
        "attachment_loss_mm": between(rng, 0.2, 4.5, 3),
        **outcome(rng),
    }


def main() -> None:
    """Write the file, or the one named as the argument."""
    rng = random.Random(SEED)  # noqa: S311 - invented data, no secrets
    women = [woman(rng, place) for place in range(1, WOMEN + 1)]
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(women[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(women)


if __name__ == "__main__":
    main()
