"""How long ``mpgit --help`` takes, beside a Python that does nothing.

Example:
    $ python -m perf start
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from perf.timing import command, seconds, spread

TIMES = 15


def measure() -> Iterator[str]:
    """Both, in turns."""
    mpgit = command([Path(sys.executable).with_name("mpgit"), "--help"])
    python = command([sys.executable, "-c", "pass"])
    mpgit()  # once unmeasured: compiled modules, file caches
    pairs = [(seconds(mpgit), seconds(python)) for _ in range(TIMES)]
    helps, nothings = zip(*pairs, strict=True)
    yield f"mpgit --help: {spread(helps)}"
    yield f"python -c pass: {spread(nothings)}"
    yield f"ratio: {statistics.median(helps) / statistics.median(nothings):.1f}"
