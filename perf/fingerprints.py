"""How fast datasets are fingerprinted and confirmed, beside one ``openssl dgst -sha256``.

Two datasets in the page cache: 4 files of 256 MiB, and 20,000 of 50 KiB. Every round measures
OpenSSL over the large files, then each dataset, and only what one round says is compared: 1.00
means that all cores hash as fast as OpenSSL does on one. With a thread beside, no helper may be
forked: the last line says what threads alone come to.

Example:
    $ python -m perf fingerprints
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from medperf_git.runtime.helpers import cores
from medperf_git.workflows.datasets import fingerprint_of
from perf.timing import command, seconds, spread

LARGE = (4, 1 << 28)
SMALL = (20_000, 50 << 10)
A_FOLDER = 500
TIMES = 9
SETTLE_SECONDS = 2.5
MEMORY = Path("/dev/shm")  # noqa: S108 (only a place without a disk; a private folder is made there)
ROOM = 3 << 30


def measure() -> Iterator[str]:
    """Both datasets, in turns with OpenSSL."""
    with tempfile.TemporaryDirectory(prefix="mpgit-perf-", dir=_place()) as folder:
        large, small = Path(folder) / "large", Path(folder) / "small"
        for top, (count, size) in ((large, LARGE), (small, SMALL)):
            _write(top, count, size)
        time.sleep(SETTLE_SECONDS)  # until the index trusts them
        openssl = command(["openssl", "dgst", "-sha256", *sorted((large / "data").glob("*/*"))])
        rounds = [_round(openssl, large, small) for _ in range(TIMES)]
        with_thread = [_beside_a_thread(openssl, small) for _ in range(TIMES)]
    yield f"{cores()} cores; openssl, 4 × 256 MiB: {spread([each[0] for each in rounds])}"
    for at, name, (count, size) in ((1, "4 × 256 MiB", LARGE), (3, "20,000 × 50 KiB", SMALL)):
        share = count * size / (LARGE[0] * LARGE[1]) / cores()
        yield f"{name}: {spread([each[at] for each in rounds])}"
        yield f"{name}: ratio {_ratios([share * each[0] / each[at] for each in rounds])}"
        yield f"{name}: confirmed: {spread([each[at + 1] for each in rounds])}"
        percent = [100 * each[at + 1] / each[at] for each in rounds]
        yield f"{name}: confirmed in {_ratios(percent)} % of the time"
    yield f"20,000 × 50 KiB: ratio with threads {_ratios([share * a / b for a, b in with_thread])}"


def _place() -> str | None:
    """Memory, where there is enough of it."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    return str(MEMORY) if roomy else None


def _write(top: Path, count: int, size: int) -> None:
    """A dataset; what is in it makes no difference to SHA-256."""
    block = os.urandom(min(size, 1 << 20))
    (top / "labels").mkdir(parents=True)
    (top / "labels" / "labels.csv").write_text("case,label\n")
    for number in range(count):
        folder = top / "data" / f"{number // A_FOLDER:03}"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{number:05}.dcm").open("wb") as file:
            for _ in range(size // len(block)):
                file.write(block)


def _round(openssl: Callable[[], object], large: Path, small: Path) -> list[float]:
    """Seconds: OpenSSL; the large dataset, read and confirmed; the small one, likewise."""
    found = [seconds(openssl)]
    for top in (large, small):
        both = top / "data", top / "labels"
        found.append(seconds(partial(fingerprint_of, *both)))
        found.append(seconds(partial(fingerprint_of, *both, confirm=True)))
    return found


def _beside_a_thread(openssl: Callable[[], object], small: Path) -> tuple[float, float]:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    first = seconds(openssl)
    thread.start()
    try:
        return first, seconds(partial(fingerprint_of, small / "data", small / "labels"))
    finally:
        over.set()
        thread.join()


def _ratios(values: Sequence[float]) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.2f} ({low:.2f}–{high:.2f}, {len(values)} times)"
