"""The doctor's look at what runs containers: engines, real isolation, limits, graphics processors.

That a task has no network is not believed: a tiny one looks and tries, on each engine.

Example::

    list(engines(home))
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from medperf_git.errors import EngineError, MpgitError
from medperf_git.runtime import machine
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.cgroup import find_parents
from medperf_git.runtime.engine import Engine
from medperf_git.runtime.engines import ENGINES, find_engine
from medperf_git.runtime.probe import probe
from medperf_git.runtime.tasklog import printable
from medperf_git.store.home import Home
from medperf_git.store.site_rules import load_site_rules
from medperf_git.workflows.observation import Observation, ok, problem, warning

_SAME: Final = {"podman": "docker"}
"""One API, so one engine."""
_PROGRAMS: Final = {
    "sandbox": ("bwrap",),
    "docker": ("docker", "podman"),
    "apptainer": ("apptainer", "singularity"),
}
_KERNEL: Final = "/proc/sys/kernel"
_APPARMOR: Final = (
    "give bwrap an AppArmor profile with userns, or "
    "sysctl kernel.apparmor_restrict_unprivileged_userns=0"
)
_SWITCHES: Final = (
    (f"{_KERNEL}/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
    (f"{_KERNEL}/apparmor_restrict_unprivileged_userns", "1", _APPARMOR),
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"),
)
"""The kernel's switches that forbid user namespaces: file, forbidding value, how to allow them."""
_SECONDS: Final = 20


def engines(home: Home) -> Iterator[Observation]:
    """Each engine: whether it works, and whether a task on it is really without network."""
    allowed = load_site_rules(home.site_file).engines
    works = 0
    for name in dict.fromkeys(_SAME.get(name, name) for name in ENGINES):
        if not {name, *(other for other, same in _SAME.items() if same == name)} & set(allowed):
            yield ok(name, "site.yaml does not allow it")
            continue
        with ArtefactStore(home.artefacts).scratch() as folder:
            store = ArtefactStore(folder / "cache", [folder / "shelf"])
            try:
                engine = find_engine(name, [], store)
            except EngineError as error:
                yield _missing(name, error)
                continue
            described = engine.describe()
            works += 1
            yield ok(name, described.version + _other(described.name, name))
            yield _network(name, engine, folder)
    if not works:
        yield problem(
            "engines", "none works: nothing can be run here",
            "install bubblewrap (apt-get install bubblewrap), or install and start Docker",
        )  # fmt: skip


def _other(found: str, asked: str) -> str:
    """Podman answers where Docker is asked for."""
    return "" if found == asked else f" ({found})"


def _missing(name: str, error: EngineError) -> Observation:
    if not any(shutil.which(program) for program in _PROGRAMS.get(name, (name,))):
        return ok(name, "not installed; what runs on other engines does not need it")
    return warning(name, error.message, _switches() or error.advice)


def _switches() -> str:
    """How to allow user namespaces, where the kernel forbids them."""
    advice = [how for name, forbidding, how in _SWITCHES if _text(Path(name)).strip() == forbidding]
    return "; ".join(advice)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _network(name: str, engine: Engine, folder: Path) -> Observation:
    topic = f"{name}, network"
    try:
        seen = probe(engine, folder)
    except MpgitError as error:
        text = f"not tested: {error.message}"
        if error.code == "no-probe":
            return warning(topic, text, error.advice)
        return problem(topic, text, error.advice, error.place)
    if seen.isolated:
        return ok(topic, "none: a task sees no device but loopback and reaches nothing")
    found = ", ".join([*seen.interfaces, *seen.reached])
    return problem(
        topic, f"a task has a network: {found}",
        f"run nothing on it: leave {name} out of `engines` in site.yaml, and tell who keeps it",
    )  # fmt: skip


def limits(_home: Home) -> Iterator[Observation]:
    """Which limits the kernel enforces for engines without a daemon."""
    version = "v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "v1"
    given = find_parents()
    enforced = [name for name in ("memory", "pids", "cpu") if name in given]
    topic = "control groups"
    if {"memory", "pids"} <= set(given):
        yield ok(topic, f"{version}: the kernel limits {', '.join(enforced)} of sandboxed tasks")
        return
    text = f"{version}: not ours to divide; mpgit itself watches memory, and nobody limits cpus"
    advice = "run it with a group of its own: systemd-run --user --scope mpgit run …"
    yield warning(topic, text, advice)


def gpus(_home: Home) -> Iterator[Observation]:
    """NVIDIA's graphics processors, its driver, and what containers need of it."""
    found = machine.gpus()
    driver = _nvidia_smi()
    if not found and driver is None:
        yield ok("GPUs", "none")
    elif not found:
        yield warning(
            "GPUs", "nvidia-smi is here, /dev/nvidia* is not", "load the driver: nvidia-smi"
        )
    elif not driver:
        text = f"/dev/nvidia{', '.join(found)}, but nvidia-smi does not work"
        yield warning("GPUs", text, "install NVIDIA's driver for this kernel")
    else:
        yield ok("GPUs", f"{', '.join(found)}: {driver}")
        if shutil.which("docker") and not shutil.which("nvidia-container-cli"):
            text = "Docker gives none to tasks: NVIDIA's container toolkit is missing"
            yield warning("GPUs", text, "install nvidia-container-toolkit; the sandbox needs none")


def _nvidia_smi() -> str | None:
    """The driver's list in one line; empty where it fails, None where there is no such program."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True, timeout=_SECONDS, check=True, text=True,
        )  # fmt: skip
    except FileNotFoundError:
        return None
    except (OSError, subprocess.SubprocessError):
        return ""
    return "; ".join(printable(line) for line in done.stdout.splitlines())
