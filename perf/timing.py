"""What measurements share: a stopwatch, and a spread for people.

Example:
    >>> spread([0.003, 0.001, 0.002])
    '2.0 ms (1.0–3.0 ms, 3 times)'
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def seconds(work: Callable[[], object]) -> float:
    """How long it takes, wall clock."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def command(words: Sequence[str | Path], **environment: str) -> Callable[[], object]:
    """A process to be timed; it must succeed."""

    def run() -> None:
        subprocess.run(
            [str(word) for word in words],
            env=environment or None,
            check=True,
            capture_output=True,
        )

    return run


def spread(values: Sequence[float]) -> str:
    """The median, and between what it lies."""
    unit, factor, digits = ("s", 1, 2) if max(values) >= 1 else ("ms", 1000, 1)
    low, middle, high = (
        f"{value * factor:.{digits}f}"
        for value in (min(values), statistics.median(values), max(values))
    )
    return f"{middle} {unit} ({low}–{high} {unit}, {len(values)} times)"
