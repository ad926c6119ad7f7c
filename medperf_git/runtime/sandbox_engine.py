"""The engine without a daemon: bubblewrap, for sources and for image archives.

A task gets namespaces of its own for everything, no network, no capabilities, no new
privileges, and a root that holds only what it needs, read-only. Limits are control groups'
where we may make them, else resource limits and the watchdog; the `Step` says which. Does not
run images by reference: they need an engine that pulls.

Example::

    engine = SandboxEngine(artefacts)
    step = engine.run(job)
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from medperf_git.errors import EngineError
from medperf_git.records.container import ArchiveImage, Image, SourceImage
from medperf_git.records.execution import Engine as EngineRecord
from medperf_git.records.execution import Step
from medperf_git.runtime import sandbox_root, tasklog
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.cgroup import Cgroup
from medperf_git.runtime.engine import NAME, Job, environment, parts_of_step, refuse_job
from medperf_git.runtime.finish import finish
from medperf_git.runtime.held_process import isolation
from medperf_git.runtime.interrupt import interruptible
from medperf_git.runtime.mounts import Mounts, mounted
from medperf_git.runtime.owner import kill_orphans
from medperf_git.runtime.python_env import PythonEnvironment, inspect_python
from medperf_git.runtime.rootfs import unpacked
from medperf_git.runtime.sandbox_process import SandboxProcess
from medperf_git.runtime.seccomp import compiled
from medperf_git.runtime.watchdog import Watchdog, out_of_memory

_OLDEST: Final = (0, 8)
"""The first version with `--disable-userns` and `--size`."""
_ISOLATION: Final = (
    "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
    "--unshare-cgroup-try", "--disable-userns", "--die-with-parent", "--new-session",
    "--cap-drop", "ALL", "--clearenv", "--hostname", NAME,
)  # fmt: skip
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TRIAL_SECONDS: Final = 20
_TRIAL: Final = ("--proc", "/proc", "--dev", "/dev", "--", "true")


@dataclass(frozen=True, slots=True)
class _Launch:
    """Bubblewrap's arguments, and what of them is the task's: its command and variables."""

    arguments: list[str]
    command: tuple[str, ...]
    environment: dict[str, str]


class SandboxEngine:
    """Runs tasks under bubblewrap.

    Attributes:
        name: `sandbox`.
    """

    name = "sandbox"

    def __init__(
        self, artefacts: ArtefactStore, python: Path | None = None, *, use_cgroups: bool = True
    ) -> None:
        """Make sure that bubblewrap works here, and stop what a killed client left running.

        Args:
            artefacts: where images come from.
            python: the interpreter for `source` images; our own where not named.
            use_cgroups: False leaves limits to rlimits and the watchdog.

        Raises:
            EngineError: `engine-missing`, with what to do.
        """
        self._artefacts = artefacts
        self._python = python
        self._use_cgroups = use_cgroups
        self._version = _working_version()
        kill_orphans()

    def describe(self) -> EngineRecord:
        """Bubblewrap's version."""
        return EngineRecord(name="sandbox", version=f"bubblewrap {self._version}")

    def admits(self, image: Image) -> bool:
        """Sources and archives."""
        return isinstance(image, SourceImage | ArchiveImage)

    def provide(self, image: Image) -> None:
        """Verify the tree, or verify and unpack the archive; see `Engine.provide`."""
        if isinstance(image, SourceImage):
            self._artefacts.tree(image)
        elif isinstance(image, ArchiveImage):
            unpacked(image, self._artefacts)
        else:
            raise EngineError(
                "the sandbox can't pull images by reference",
                code="image-not-admitted",
                advice="use Docker or Podman for it, or register the image as an archive",
            )

    def run(self, job: Job) -> Step:
        """Run a task; see `Engine.run`."""
        refuse_job(job)
        if job.gpus and not isinstance(job.container.image, SourceImage):
            raise EngineError(
                "the sandbox gives graphics processors to sources only: an image does not hold "
                "this machine's driver",
                code="no-gpu",
                place=job.task,
                advice="use an engine with NVIDIA's container toolkit: --engine docker",
            )
        self.provide(job.container.image)
        with (
            interruptible(job.stop) as interrupted,
            mounted(job) as mounts,
            tasklog.logged(job) as log,
        ):
            launch = self._launch(job, mounts)
            log.begin(job, self.describe(), launch.command, launch.environment)
            arguments = launch.arguments
            with self._cgroup(job) as group, SandboxProcess(arguments, job, group) as process:
                watchdog = Watchdog(job.limits, mounts.writable, interrupted, process.memory)
                watchdog.start()
                process.release()
                breach = watchdog.watch(process.ended)
                seconds = watchdog.seconds
                exit_code = process.stop()
                log.ended(exit_code, seconds)
                if breach is None and exit_code != 0 and group.out_of_memory():
                    breach = out_of_memory(job.limits)
                # The kernel exempts root from the resource limit on processes.
                in_force = isolation(job, group, "rlimit" if os.getuid() != 0 else "none")
            kept = finish(job, mounts, watchdog, breach, exit_code)
        software = self._environment.software if job.container.image.type == "source" else {}
        return Step.model_validate(
            {
                **parts_of_step(job),
                "software": software,
                "isolation": in_force,
                "seconds": round(seconds, 3),
                "exit_code": kept,
            }
        )

    def _cgroup(self, job: Job) -> Cgroup:
        return Cgroup.create(job.limits, None if self._use_cgroups else {})

    def _launch(self, job: Job, mounts: Mounts) -> _Launch:
        image = job.container.image
        variables = environment(job.limits)
        if isinstance(image, ArchiveImage):
            rootfs = unpacked(image, self._artefacts)
            root = sandbox_root.archive_root(rootfs.folder, mounts.all)
            variables = {"PATH": _PATH, **rootfs.environment, **variables}
            start, folder = rootfs.entrypoint, rootfs.working_folder
        elif isinstance(image, SourceImage):
            tree = self._artefacts.tree(image)
            root = sandbox_root.source_root(tree, self._environment)
            variables = {"PATH": f"{self._environment.folder}:{_PATH}", **variables}
            start, folder = (), sandbox_root.PROJECT
        settings = [word for item in variables.items() for word in ("--setenv", *item)]
        command = (*start, *job.definition.command)
        arguments = [
            *_ISOLATION,
            # Before the root: a Python environment below /tmp would vanish under ours.
            *sandbox_root.kernel_mounts(job.limits),
            *sandbox_root.gpu_devices(job.gpus),
            *root,
            *sandbox_root.volume_mounts(mounts.all),
            *sandbox_root.seal(),
            *settings,
            *("--chdir", folder, "--", *command),
        ]
        return _Launch(arguments, command, variables)

    @cached_property
    def _environment(self) -> PythonEnvironment:
        return inspect_python(self._python)


def available() -> bool:
    """Whether a sandbox can be made here."""
    try:
        _working_version()
    except EngineError:
        return False
    return True


def _working_version() -> str:
    """Bubblewrap's version, once it has shown that it can make a sandbox.

    Raises:
        EngineError: `engine-missing`.
    """
    compiled(platform.machine())
    try:
        version = _run("--version").split()[-1]
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
        if numbers < _OLDEST:
            raise _missing(f"bubblewrap {version} is too old; 0.8 or newer is needed")
        # Not all of the host: where Docker works, mounts vanish while they are bound.
        _run(*_ISOLATION, *sandbox_root.system_root(), *_TRIAL)
    except FileNotFoundError as error:
        raise _missing("bubblewrap (bwrap) is not installed") from error
    except subprocess.CalledProcessError as error:
        reason = tasklog.printable(error.stderr.decode("utf-8", "replace").strip())
        raise _missing(f"bubblewrap can't make a sandbox here: {reason}") from error
    except (subprocess.TimeoutExpired, OSError, IndexError) as error:
        raise _missing(f"bubblewrap does not run: {error}") from error
    return version


def _run(*arguments: str) -> str:
    done = subprocess.run(
        ["bwrap", *arguments], capture_output=True, timeout=_TRIAL_SECONDS, check=True
    )
    return done.stdout.decode("utf-8", "replace")


def _missing(message: str) -> EngineError:
    return EngineError(
        message,
        code="engine-missing",
        advice="install it (apt-get install bubblewrap) and allow user namespaces, or use Docker",
    )
