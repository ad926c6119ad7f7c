"""Fuzzes each target for a while; the exit code is 1 if anything did not hold.

Coverage-guided by atheris (libFuzzer) where there is a wheel of it, which is Linux on x86-64;
elsewhere by plain mutation of the seeds.

Example:
    $ python -m fuzz --seconds 30
    $ python -m fuzz --target codec --input crash-0f3a…      # one input again
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

NAMES = ("codec", "sshsig")
MAX_BYTES = 16_384


_CALL = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
_SMALL = (sys.executable, "-S", "-c", _CALL)
"""A small process between: a child's peak of memory begins with its parent's size."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fuzz", description="Fuzz what reads strangers' bytes.")
    parser.add_argument("--seconds", type=int, default=30, help="for each target")
    parser.add_argument("--target", choices=NAMES, help="only this one")
    parser.add_argument("--input", type=Path, help="try one input, with --target")
    parser.add_argument("--plain", action="store_true", help="without atheris")
    chosen = parser.parse_args(arguments)
    if chosen.input is not None:
        from fuzz.targets import TARGETS  # noqa: PLC0415 (atheris must import it first)

        TARGETS[chosen.target or NAMES[0]](chosen.input.read_bytes())
        return 0
    guided = importlib.util.find_spec("atheris") is not None and not chosen.plain
    run = _guided if guided else _plain
    targets = [chosen.target] if chosen.target else NAMES
    return max(run(target, chosen.seconds) for target in targets)


def _guided(target: str, seconds: int) -> int:
    """LibFuzzer ends its own process, so it gets one."""
    from fuzz.seeds import dictionary, seeds  # noqa: PLC0415 (as above)

    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(seeds(target)):
            (corpus / str(number)).write_bytes(seed)
        words = Path(folder) / "words"
        words.write_text(dictionary(target), "utf-8")
        command = [sys.executable, "-m", "fuzz.guided", target, str(corpus)]
        command += [f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", f"-dict={words}"]
        command += ["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1", "-verbosity=0"]
        done = subprocess.run([*_SMALL, *command], capture_output=True, text=True, check=False)
    found = [line for line in done.stderr.splitlines() if line.startswith("stat::")]
    print(f"{target}: exit code {done.returncode}, {'; '.join(found[:2])}")
    if done.returncode:
        print(done.stderr[-4000:])
    return done.returncode


def _plain(target: str, seconds: int) -> int:
    from fuzz.seeds import seeds  # noqa: PLC0415 (as above)
    from fuzz.targets import TARGETS  # noqa: PLC0415 (as above)

    known = seeds(target)
    dice = random.Random(0)  # noqa: S311 (no secret)
    end = time.monotonic() + seconds
    runs = 0
    while time.monotonic() < end:
        data = bytearray(dice.choice(known))
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(data) + 1)
            other = dice.choice(known)
            start = dice.randrange(len(other))
            data[at : at + dice.randint(0, 3)] = other[start : start + dice.randint(0, 12)]
        try:
            TARGETS[target](bytes(data))
        except Exception:
            file = Path(f"crash-{target}")
            file.write_bytes(data)
            print(f"{target}: {file} does not hold")
            raise
        runs += 1
    print(f"{target}: {runs} inputs, without coverage")
    return 0


if __name__ == "__main__":
    sys.exit(main())
