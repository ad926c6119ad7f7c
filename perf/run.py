"""What ``mpgit run`` adds to the two containers that it stands for.

Plays the story, then runs one model on KY's prepared dataset again and again: each time first
with `mpgit run`, then as the two plain commands (`docker run`, or `bwrap`) with the same images,
mounts and limits. Only the difference within a pair is looked at.

Example:
    $ python -m perf run
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from medperf_git.records.container import SourceImage
from medperf_git.records.mlcube import MLCube, Model
from medperf_git.runtime import sandbox_root
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.engine import caller, environment
from medperf_git.runtime.limits import Limits
from medperf_git.runtime.python_env import inspect_python
from medperf_git.store.home import Home
from medperf_git.store.paths import Place
from perf.timing import command, seconds, spread
from tests.e2e.stories import BENCHMARK, EXAMPLE, MPGIT, Told, play

MODEL = "north-star/logistic"
OWNER = "ky"
TIMES = 7
LIMITED = ("memory_mb", "cpus", "processes", "seconds", "output_mb")
VOLUMES = "/mlcommons/volumes"


def measure() -> Iterator[str]:
    """The sandbox, then Docker."""
    for engine in ("sandbox", "docker"):
        with tempfile.TemporaryDirectory(prefix="mpgit-perf-") as folder:
            told = play(engine, Path(folder))
            if told.exit_code:
                raise RuntimeError(told.output[-2000:])
            yield from _compare(told, Path(folder))


def _compare(told: Told, folder: Path) -> Iterator[str]:
    home = told.home(OWNER)
    words = ["run", "-b", BENCHMARK, "-d", "opt", "-m", MODEL, "--engine", told.engine, "--json"]
    ours = command([MPGIT, *words], **{**os.environ, "MPGIT_HOME": str(home)})
    steps = _forget_and_run(home, words)
    theirs = [command(words) for words in _plain(told, steps, folder)]
    pairs = []
    for _ in range(TIMES):
        shutil.rmtree(home / "data" / "executions")
        pairs.append((seconds(ours), sum(_cleared(folder, run) for run in theirs)))
    added = [run - plain for run, plain in pairs]
    runs, plains = zip(*pairs, strict=True)
    yield f"{told.engine}: mpgit run: {spread(runs)}"
    yield f"{told.engine}: the two containers alone: {spread(plains)}"
    ratio = statistics.median(run / plain for run, plain in pairs)
    yield f"{told.engine}: added: {spread(added)}; ratio {ratio:.2f}"


def _cleared(folder: Path, run: Callable[[], object]) -> float:
    """One container; the metrics write their file anew, as ours do."""
    (folder / "results.yaml").write_text("")
    return seconds(run)


def _forget_and_run(home: Path, words: list[str]) -> list[dict[str, Any]]:
    """Once unmeasured: what the record says of each step."""
    shutil.rmtree(home / "data" / "executions")
    done = subprocess.run(
        [str(MPGIT), *words],
        env={**os.environ, "MPGIT_HOME": str(home)},
        check=True,
        capture_output=True,
    )
    steps: list[dict[str, Any]] = json.loads(done.stdout)[0]["execution"]["steps"]
    return steps


def _plain(told: Told, steps: list[dict[str, Any]], folder: Path) -> Iterator[list[str]]:
    """The two commands that somebody would type without mpgit."""
    predictions, results = folder / "predictions", folder / "results.yaml"
    weights = folder / "weights"
    for made in (predictions, weights):
        made.mkdir()
    results.touch()
    shutil.copy(EXAMPLE / "models" / "logistic" / "weights.json", weights)
    prepared = told.prepared(OWNER)
    parameters = EXAMPLE / "metrics" / "parameters.yaml"
    volumes = (
        [
            (prepared / "data", f"{VOLUMES}/data", "ro"),
            (weights, f"{VOLUMES}/additional_files", "ro"),
            (predictions, f"{VOLUMES}/predictions", "rw"),
        ],
        [
            (predictions, f"{VOLUMES}/predictions", "ro"),
            (prepared / "labels", f"{VOLUMES}/labels", "ro"),
            (parameters, f"{VOLUMES}/parameters/parameters_file.yaml", "ro"),
            (results, f"{VOLUMES}/results/results.yaml", "rw"),
        ],
    )
    snapshot = told.snapshot()
    cubes = (
        snapshot.load(Place("model", MODEL, 1)).record,
        snapshot.load(Place("mlcube", "anna-weber/preterm-metrics", 1)).record,
    )
    make = _docker if told.engine == "docker" else _bwrap
    store = ArtefactStore(Home(told.home(OWNER)).artefacts, [EXAMPLE])
    for step, cube, mounts in zip(steps, cubes, volumes, strict=True):
        if not isinstance(cube, Model | MLCube):
            raise TypeError(cube)
        in_force = {name: int(step["isolation"][name]["value"]) for name in LIMITED}
        limits = Limits(**in_force)
        yield make(cube, step["task"], mounts, limits, store)


def _docker(
    cube: Model | MLCube,
    task: Any,
    mounts: list[tuple[Path, str, str]],
    limits: Limits,
    _store: ArtefactStore,
) -> list[str]:
    reference: str = cube.image.reference  # type: ignore[union-attr]
    return [
        *("docker", "run", "--rm", "--network", "none", "--cap-drop", "ALL", "--read-only"),
        *("--security-opt", "no-new-privileges", "--user", caller(), "--init"),
        *("--memory", f"{limits.memory_mb}m", "--memory-swap", f"{limits.memory_mb}m"),
        *("--cpus", str(limits.cpus), "--pids-limit", "64", "--tmpfs", "/tmp"),  # noqa: S108
        *(w for k, v in environment(limits).items() for w in ("--env", f"{k}={v}")),
        *(w for s, t, mode in mounts for w in ("--volume", f"{s.absolute()}:{t}:{mode}")),
        *(reference, *cube.tasks[task].command),
    ]


def _bwrap(
    cube: Model | MLCube,
    task: Any,
    mounts: list[tuple[Path, str, str]],
    limits: Limits,
    store: ArtefactStore,
) -> list[str]:
    if not isinstance(cube.image, SourceImage):
        raise TypeError(cube.image)
    python = inspect_python(Path(sys.executable))
    options = {"ro": "--ro-bind", "rw": "--bind"}
    settings = {"PATH": f"{python.folder}:/usr/bin:/bin", **environment(limits)}
    return [
        *("bwrap", "--unshare-all", "--cap-drop", "ALL", "--die-with-parent", "--clearenv"),
        *sandbox_root.kernel_mounts(limits),
        *sandbox_root.source_root(store.tree(cube.image), python),
        *(word for s, t, mode in mounts for word in (options[mode], str(s.absolute()), t)),
        *(word for item in settings.items() for word in ("--setenv", *item)),
        *("--chdir", sandbox_root.PROJECT, "--", *cube.tasks[task].command),
    ]
