"""Whether Apptainer is here and isolates: a container of this machine's own programs is looked at.

A site's apptainer.conf can switch namespaces off (`allow pid ns = no`) and bind paths everywhere,
and Apptainer then only warns; a kernel can refuse a network namespace to its users. So before
anything is run, a container with the options of every task tells its namespaces, capabilities and
filter. Takes a tenth of a second. Does not need an image.

Example::

    program = find_program()
    refuse_shared(program, scratch)
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from medperf_git.errors import EngineError
from medperf_git.runtime import tasklog
from medperf_git.runtime.apptainer_image import private
from medperf_git.runtime.apptainer_options import (
    OLDEST,
    Program,
    exec_command,
    task_options,
)
from medperf_git.runtime.mounts import Mount
from medperf_git.runtime.seccomp import write_profile

_PROGRAMS: Final = ("apptainer", "singularity")
_TRIAL_SECONDS: Final = 60
_NAMESPACES: Final = ("ipc", "mnt", "net", "pid", "uts")
_LOOK: Final = (
    "for name in " + " ".join(_NAMESPACES) + "; do readlink /proc/self/ns/$name; done; "
    "grep -E '^(CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status"
)
_STATUS: Final = dict.fromkeys(("CapPrm", "CapEff", "CapBnd", "CapAmb"), "0" * 16) | {
    "NoNewPrivs": "1",
    "Seccomp": "2",
}
_WORK: Final = "work"
_ADVICE: Final = "docs/engines.md says what Apptainer needs; or use the sandbox: --engine sandbox"


def find_program() -> Program:
    """Apptainer, else SingularityCE, new enough to isolate.

    Raises:
        EngineError: `engine-missing`.
    """
    problem = "neither apptainer nor singularity is installed"
    for name in _PROGRAMS:
        path = shutil.which(name)
        if path is None:
            continue
        program = Program.of(path, _said(path, "--version"))
        if program is not None and not program.is_too_old:
            return program
        problem = f"{path} is {program or 'not known to mpgit'}"
    oldest = " or ".join(f"{name} {major}.{minor}" for name, (major, minor) in OLDEST.items())
    raise EngineError(f"{problem}; {oldest} is needed", code="engine-missing", advice=_ADVICE)


def _said(*command: str, variables: Mapping[str, str] | None = None) -> str:
    """What a program printed.

    Raises:
        EngineError: `engine-missing`: it does not run.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TRIAL_SECONDS,
            check=True,
            env=None if variables is None else {"PATH": os.environ["PATH"], **variables},
        )
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", "replace").split("\n")
        reason = next((line for line in reversed(lines) if line.strip()), "no reason given")
        raise EngineError(
            f"Apptainer makes no container here: {tasklog.printable(reason)}",
            code="engine-missing",
            advice=_ADVICE,
        ) from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise EngineError(
            f"Apptainer does not run: {error}", code="engine-missing", advice=_ADVICE
        ) from error
    return done.stdout.decode("utf-8", "replace")


def refuse_shared(program: Program, scratch: Path) -> None:
    """Raise unless a container of this machine's own programs is isolated as every task must be.

    Raises:
        EngineError: `engine-missing`: it can't be made; `isolation`: it lacks something.
    """
    root = scratch / "root"
    for name in ("usr", "proc", "dev", "tmp", "etc", "var/tmp"):
        (root / name).mkdir(parents=True)
    mounts = [Mount(Path("/usr"), "/usr", writable=False)]
    for name in ("bin", "lib", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            (root / name).symlink_to(path.readlink())
        elif path.exists():
            (root / name).mkdir()
            mounts.append(Mount(path, str(path), writable=False))
    (scratch / _WORK).mkdir()
    options = task_options(program, mounts, {}, scratch=scratch / _WORK, working_folder="/")
    profile = write_profile(scratch)
    look = ("/bin/sh", "-c", _LOOK)
    command = exec_command(program, root, look, profile=profile, options=options)
    variables = private(scratch, "TMPDIR", "CACHEDIR", "CONFIGDIR")
    lines = _said(*command, variables=variables).splitlines()
    count = len(_NAMESPACES)
    ours = [str(Path("/proc/self/ns", name).readlink()) for name in _NAMESPACES]
    shared = [n for n, a, b in zip(_NAMESPACES, ours, lines[:count], strict=False) if a == b]
    status = dict(line.split(":\t", 1) for line in lines[count:] if ":\t" in line)
    missing = [
        f"{name} {status.get(name)}" for name in _STATUS if status.get(name) != _STATUS[name]
    ]
    if len(lines) < count or shared or missing:
        what = ", ".join([f"it shares {name}" for name in shared] + missing) or "it says nothing"
        raise EngineError(
            f"{program} does not isolate here: {what}", code="isolation", advice=_ADVICE
        )
