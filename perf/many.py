"""Eight executions of CPU-bound work on this machine's processors, and the start of a run.

`work` is what a model's container takes when nothing else runs; eight of them on two processors
can't be done in less than four times that. The start is measured up to the first task's beginning,
by its own facts, with everything cached.

Example:
    $ python -m perf many
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.site import BENCHMARK, MPGIT, REGISTRY, ROOT, Site, build_site

MODELS = 8
TIMES = 3


def measure() -> Iterator[str]:
    """Eight at once, against one alone; then the start."""
    with tempfile.TemporaryDirectory(prefix="mpgit-perf-") as folder:
        site = build_site(Path(folder) / "site", [f"busy-{number}" for number in range(MODELS)])
        alone = _run(site, ["-m", "oak/busy-0"])
        work = alone["container"]
        models = [word for n in range(MODELS) for word in ("-m", f"oak/busy-{n}")]
        cpus = len(os.sched_getaffinity(0))
        walls = []
        for _ in range(TIMES):
            _forget(site)
            walls.append(_run(site, models)["wall"])
        wall = statistics.median(walls)
        yield f"one execution alone: {work:.2f} s in containers, {alone['wall']:.2f} s in all"
        yield f"{MODELS} on {cpus} processors: {wall:.2f} s"
        yield f"ratio to (work × {MODELS} / {cpus}): {wall / (work * MODELS / cpus):.3f}"
        starts = []
        for _ in range(TIMES * 2):
            _forget(site)
            starts.append(_start(site))
        yield f"start to the first container: {statistics.median(starts):.2f} s"


def _forget(site: Site) -> None:
    subprocess.run(["rm", "-rf", site.home("ky").executions(REGISTRY)], check=True)


def _command(words: list[str]) -> list[str]:
    return [*MPGIT, "run", "-b", BENCHMARK, "-d", "opt", *words, "--json"]


def _run(site: Site, words: list[str]) -> dict[str, Any]:
    environment = {**os.environ, **site.settings("ky"), "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    done = subprocess.run(
        _command(words), env=environment, capture_output=True, text=True, check=True
    )
    wall = time.monotonic() - began
    rows = json.loads(done.stdout)
    return {
        "wall": wall,
        "container": sum(s["seconds"] for row in rows for s in row["execution"]["steps"]),
    }


def _start(site: Site) -> float:
    began = time.time()
    _run(site, ["-m", "anna/rule"])
    (facts,) = site.home("ky").executions(REGISTRY).glob("*/logs/infer.json")
    text = json.loads(facts.read_text())["began"]
    return datetime.fromisoformat(text).timestamp() - began
