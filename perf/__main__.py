"""Measurements, as ratios within one run: ``python -m perf [NAME]...``.

Nothing here passes or fails. Absolute times are those of this machine at this moment; compare
the ratios.

Example:
    $ python -m perf start checks
"""

from __future__ import annotations

import importlib
import sys
import time

MEASUREMENTS = {
    "start": "how long `mpgit --help` takes",
    "run": "what `mpgit run` adds to the two containers it stands for",
    "many": "eight executions at once on this machine's processors, and the start of a run",
    "checks": "what a check costs in small and large registries",
    "growth": "how costs grow with a registry of 1,000 results and more",
    "index": "what the index costs: made, brought up to date, asked; and its size",
    "fets": "32 sites × 41 models, all by requests, against one plain server",
    "partial": "what it costs to read one benchmark of a large registry, over HTTP",
    "primitives": "an audit beside what it can't do without: reading, parsing, verifying",
    "audits": "how fast an audit replays a history",
    "fingerprints": "how fast datasets are fingerprinted and confirmed, beside OpenSSL",
}
"""Every measurement: its module's name, and what it measures."""


def main(names: list[str]) -> int:
    """Runs measurements and prints what they say; returns the exit code."""
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        print(f"no measurement {unknown[0]}; known: {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    for name in names or MEASUREMENTS:
        print(f"{name}: {MEASUREMENTS[name]}", flush=True)
        began = time.monotonic()
        for line in importlib.import_module(f"perf.{name}").measure():
            print(f"  {line}", flush=True)
        print(f"  (measured in {time.monotonic() - began:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
