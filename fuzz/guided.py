"""One target under atheris; libFuzzer reads the rest of the command line and ends the process.

Example:
    $ python -m fuzz.guided codec corpus/ -max_total_time=30
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["medperf_git"]):
    from fuzz.targets import TARGETS

if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()
