"""Score predicted risks of preterm birth against the outcomes (the task ``evaluate``).

Reads ``predictions/predictions.csv`` and ``labels/labels.csv``, writes ``results.yaml``: a nested
mapping of finite numbers (JSON, which is YAML). AUROC and Brier score with percentile-bootstrap
intervals, sensitivity and specificity at the given threshold with Wilson intervals; all 95 %.

Women with an unknown outcome are *excluded*; women with an outcome but without a prediction row are
*failed*. Both are counted, neither is guessed. A probability that is not a number from 0 to 1 ends
the task: a model that produces such numbers has no result.

    $ python3 /project/evaluate.py
    predictions.csv: 6 of 60 probabilities are not numbers from 0 to 1 (first: line 5, '')
"""

from __future__ import annotations

import csv
import inspect
import json
import math
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import brier_score_loss, recall_score, roc_auc_score

# Where the engine mounts the volumes. Tests set PRETERM_VOLUMES to a folder of the same shape.
VOLUMES = Path(os.environ.get("PRETERM_VOLUMES", "/mlcommons/volumes"))
PREDICTIONS = VOLUMES / "predictions" / "predictions.csv"
LABELS = VOLUMES / "labels" / "labels.csv"
PARAMETERS = VOLUMES / "parameters" / "parameters_file.yaml"
OUTPUT = VOLUMES / "results" / "results.yaml"

Numbers = NDArray[np.float64]
MINIMUM_OF_A_CLASS = 2
# Resampled values held in memory at once; bounds the memory for large hospitals.
BATCH_VALUES = 4_000_000
# Four decimals: enough for 200 women, and never written in exponent notation, which YAML 1.1
# readers would take for text.
DECIMALS = 4


def stop(message: str) -> NoReturn:
    """End the task with exit code 1 and a message on stderr."""
    print(message, file=sys.stderr)
    sys.exit(1)


def read_parameters(path: Path) -> dict[str, float]:
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
            stop(f"{path.name}, line {place}: expected `key: number`, found {line!r}")
    for key in ("threshold", "bootstrap_resamples", "seed"):
        if key not in found:
            stop(f"{path.name}: {key} is missing")
    return found


def read_column(path: Path, column: str) -> dict[str, tuple[int, str]]:
    """Return the line and the text of ``column`` for each case."""
    if not path.is_file():
        stop(f"{path.name}: not found")
    found: dict[str, tuple[int, str]] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        for name in ("case", column):
            if name not in (reader.fieldnames or ()):
                stop(f"{path.name}, line 1, column {name}: is missing")
        for row in reader:
            case, line = row["case"], reader.line_num
            if case in found:
                stop(f"{path.name}, line {line}: case {case!r} occurs more than once")
            found[case] = (line, (row[column] or "").strip())
    return found


def read_predictions(path: Path, cases: set[str]) -> dict[str, float]:
    """Return the probability of each case; stop if one is not a probability."""
    found: dict[str, float] = {}
    wrong: list[tuple[int, str]] = []
    rows = read_column(path, "probability")
    for case, (line, text) in rows.items():
        if case not in cases:
            stop(f"{path.name}, line {line}: case {case!r} is not in the labels")
        try:
            found[case] = float(text)
        except ValueError:
            found[case] = math.nan
        if not 0.0 <= found[case] <= 1.0:
            wrong.append((line, text))
    if wrong:
        count = f"{len(wrong)} of {len(rows)} probabilities are not numbers from 0 to 1"
        stop(f"{path.name}: {count} (first: line {wrong[0][0]}, {wrong[0][1]!r})")
    return found


def read_labels(path: Path) -> dict[str, str]:
    """Return ``1``, ``0`` or empty (unknown) for each case."""
    found: dict[str, str] = {}
    for case, (line, text) in read_column(path, "preterm_birth").items():
        if text not in ("1", "0", ""):
            stop(f"{path.name}, line {line}, column preterm_birth: {text!r} is not 1, 0 or empty")
        found[case] = text
    return found


def auroc(positive: Numbers, negative: Numbers, axis: int = -1) -> Numbers:
    """Return the area under the ROC curve along an axis (Mann-Whitney; a tie counts half)."""
    n_positive, n_negative = positive.shape[axis], negative.shape[axis]
    ranks = stats.rankdata(np.concatenate([positive, negative], axis=axis), axis=axis)
    # The positives come first in the concatenation, so the first ranks are theirs.
    theirs = np.take(ranks, range(n_positive), axis=axis)
    above = theirs.sum(axis=axis) - n_positive * (n_positive + 1) / 2
    result: Numbers = above / (n_positive * n_negative)
    return result


def bootstrap(samples: tuple[Numbers, ...], statistic: Any, parameters: dict[str, float]) -> Any:
    """Bootstrap a statistic; each sample is resampled by itself, hence stratified if several.

    The percentile method, because BCa has no answer where the statistic doesn't vary (for example
    at AUROC 1), and because old releases of scipy know BCa for one sample only.
    """
    # scipy 1.15 renamed the argument.
    new = "rng" in inspect.signature(stats.bootstrap).parameters
    generator = {"rng" if new else "random_state": np.random.default_rng(int(parameters["seed"]))}
    return stats.bootstrap(
        samples,
        statistic,
        n_resamples=int(parameters["bootstrap_resamples"]),
        batch=max(1, BATCH_VALUES // sum(len(sample) for sample in samples)),
        vectorized=True,
        method="percentile",
        **generator,
    )


def estimate(value: float, low: float, high: float, n: int) -> dict[str, float]:
    """Return a metric's record."""
    numbers = {"value": float(value), "low": float(low), "high": float(high)}
    return {**{name: round(number, DECIMALS) for name, number in numbers.items()}, "n": n}


def resampled(value: float, result: Any, n: int) -> dict[str, float]:
    """Return the record of a metric with a bootstrapped interval."""
    interval = result.confidence_interval
    error = round(float(result.standard_error), DECIMALS)
    return {**estimate(value, interval.low, interval.high, n), "standard_error": error}


def wilson(value: float, n: int) -> dict[str, float]:
    """Return the record of a proportion of ``n`` with its Wilson interval."""
    interval = stats.binomtest(round(value * n), n).proportion_ci(method="wilson")
    return estimate(value, interval.low, interval.high, n)


def score(truth: Numbers, risk: Numbers, parameters: dict[str, float]) -> dict[str, object]:
    """Return the metrics of the evaluated cases."""
    threshold = parameters["threshold"]
    positive, negative = risk[truth == 1], risk[truth == 0]
    high_risk = (risk >= threshold).astype(float)
    area = bootstrap((positive, negative), auroc, parameters)
    brier = bootstrap(((risk - truth) ** 2,), np.mean, parameters)
    sensitivity = recall_score(truth, high_risk, pos_label=1, zero_division=0)
    specificity = recall_score(truth, high_risk, pos_label=0, zero_division=0)
    return {
        "auroc": resampled(roc_auc_score(truth, risk), area, len(risk)),
        "sensitivity": wilson(sensitivity, len(positive)),
        "specificity": wilson(specificity, len(negative)),
        "brier": resampled(brier_score_loss(truth, risk), brier, len(risk)),
        "threshold": threshold,
    }


def evaluate(
    labels: dict[str, str], predictions: dict[str, float], parameters: dict[str, float]
) -> dict[str, object]:
    """Return the results."""
    known = [case for case in sorted(labels) if labels[case]]
    used = [case for case in known if case in predictions]
    truth = np.array([float(labels[case]) for case in used])
    risk = np.array([predictions[case] for case in used])
    for value, name in ((1, "preterm"), (0, "term")):
        if (count := int((truth == value).sum())) < MINIMUM_OF_A_CLASS:
            needed = f"the metrics need at least {MINIMUM_OF_A_CLASS}"
            stop(f"only {count} evaluated {name} births; {needed}")
    cases = {
        "total": len(labels),
        "evaluated": len(used),
        "failed": len(known) - len(used),
        "excluded": len(labels) - len(known),
    }
    return {"cases": cases, **score(truth, risk, parameters)}


def main() -> None:
    """Run the task."""
    parameters = read_parameters(PARAMETERS)
    labels = read_labels(LABELS)
    predictions = read_predictions(PREDICTIONS, set(labels))
    text = json.dumps(evaluate(labels, predictions, parameters), indent=2, allow_nan=False)
    OUTPUT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
