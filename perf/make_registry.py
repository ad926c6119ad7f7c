"""Makes large, valid, really signed registries: ``python -m perf.make_registry N FOLDER``.

A bare Git repository whose main holds N results, and everything that they rest on, each
transition such that `mpgit audit` accepts it. The same N, seed and commit size give the same
commits, on any number of processors, as long as the code and its schemas are the same: worker
processes write seasons (``registry_stream``), one ``git fast-import`` reads them in order. The
keys follow from the seed: nothing here is worth trusting. Numbers are chance; there are no
withdrawals, further revisions or rotated keys.

Example:
    $ python -m perf.make_registry 100000 /tmp/large.git
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from perf.registry_plan import SeasonPlan, make_plan
from perf.registry_stream import MAIN, REQUEST, Piece, beginning, season

RESULTS_PER_COMMIT: Final = 10
MOST_PER_COMMIT: Final = 40
_AHEAD: Final = 2
"""Seasons for each worker that may wait to be read, some 30 MB each."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Made:
    """A registry that was made.

    Attributes:
        commit: main's newest commit.
        identity: the registry's genesis, for `mpgit registry add --genesis`.
        records: how many records of all kinds it has.
        results: how many of them are results.
        transitions: how long main's first-parent line is.
        seconds: how long it took.
    """

    commit: str
    identity: str
    records: int
    results: int
    transitions: int
    seconds: float


def make(
    folder: Path,
    results: int,
    *,
    seed: str = "mpgit",
    processes: int | None = None,
    results_per_commit: int = RESULTS_PER_COMMIT,
    tell: Tell = print,
) -> Made:
    """Makes a bare repository.

    Args:
        folder: where to; must not be there yet, or be empty.
        results: how many results, at least 1.
        seed: what all keys and chances come from.
        processes: how many write records; one for each processor by default.
        results_per_commit: a request has 1 to so many results, about half of it on average.
        tell: called with lines of progress.

    Raises:
        ValueError: numbers that make no registry.
        FileExistsError: the folder holds something.
        UnfaithfulError: a sampled record is not what the product would have written.
        subprocess.CalledProcessError: git failed.
    """
    if results < 1 or not 1 <= results_per_commit <= MOST_PER_COMMIT:
        raise ValueError(f"at least 1 result, and 1 to {MOST_PER_COMMIT} of them in one commit")
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    began = time.monotonic()
    _git(folder, "init", "--quiet", "--bare", "--initial-branch=main", ".")
    first = beginning(seed)
    count = processes or len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        plans = make_plan(results, seed)
        ready = _in_order(pool, plans, (seed, first.identity, results_per_commit), _AHEAD * count)
        records, transitions = _import(folder, first, ready, _Progress(results, began, tell))
    return Made(
        commit=_git(folder, "rev-parse", MAIN),
        identity=first.identity,
        records=records,
        results=results,
        transitions=transitions,
        seconds=time.monotonic() - began,
    )


def _in_order(
    pool: ProcessPoolExecutor, plans: Iterable[SeasonPlan], rest: tuple[str, str, int], ahead: int
) -> Iterator[Piece]:
    """Every season's piece, with only so many of them made before they are wanted."""
    waiting: deque[Future[Piece]] = deque()
    for plan in plans:
        waiting.append(pool.submit(season, plan, *rest))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _import(
    folder: Path, first: Piece, rest: Iterator[Piece], progress: Callable[[int], None]
) -> tuple[int, int]:
    """Has git read everything into one pack; returns how many records and transitions."""
    words = ["-c", "fastimport.unpackLimit=0", "fast-import", "--quiet", "--done"]
    records = transitions = results = 0
    with subprocess.Popen(["git", "-C", folder, *words], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101 (asked for)
        try:
            for piece in chain([first], rest):
                process.stdin.write(piece.stream)
                records += piece.records
                transitions += piece.transitions
                results += piece.results
                progress(results)
            process.stdin.write(b"done\n")
        except BrokenPipeError:
            pass  # git has said why, and its exit code says so below
        except BaseException:
            process.kill()
            raise
        process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    _git(folder, "update-ref", "-d", REQUEST)
    return records, transitions


class _Progress:
    """Says how far it is, every few seconds."""

    def __init__(self, results: int, began: float, tell: Tell) -> None:
        self._results = results
        self._began = began
        self._tell = tell
        self._last = began

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._last < 5 or not done:  # noqa: PLR2004 (seconds)
            return
        self._last = now
        passed = now - self._began
        left = passed / done * (self._results - done)
        self._tell(f"{done} of {self._results} results, {passed:.0f} s, about {left:.0f} s left")


def _git(folder: Path, *words: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m perf.make_registry", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("results", type=int, help="how many results")
    parser.add_argument("folder", type=Path, help="the bare repository; not there yet, or empty")
    parser.add_argument("--seed", default="mpgit", help="what keys and chances come from")
    parser.add_argument("--processes", type=int, help="writers (default: one a processor)")
    parser.add_argument(
        "--results-per-commit",
        type=int,
        default=RESULTS_PER_COMMIT,
        metavar="N",
        help=f"a request has 1 to N of them (default {RESULTS_PER_COMMIT})",
    )
    return parser


def main(words: list[str]) -> int:
    """The command line; returns the exit code."""
    asked = _parser().parse_args(words)
    try:
        made = make(
            asked.folder,
            asked.results,
            seed=asked.seed,
            processes=asked.processes,
            results_per_commit=asked.results_per_commit,
        )
    except (ValueError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 2
    size = sum(pack.stat().st_size for pack in asked.folder.glob("objects/pack/*.pack"))
    print(f"{made.results} results, {made.records} records, {made.transitions} transitions")
    each = 1e6 * made.seconds / made.results
    print(f"{made.seconds:.1f} s, {each:.0f} µs a result; pack {size / 1e6:.1f} MB")
    print(f"main {made.commit}\ngenesis {made.identity}")
    print(f"mpgit registry add large {asked.folder.absolute()} --genesis {made.identity}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
