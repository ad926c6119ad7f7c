"""One Apptainer process: started held, found again inside its namespaces, ended with certainty.

A shell waits for its release, under its limits already, and then starts Apptainer, so that all of
the container is born under them; should we be killed, it ends everything. Seen from outside, the
container is the first process of a new process namespace: that it has a network and messages of
its own is looked up in the kernel as soon as it is there, and with it dies all that the task has
started. Does not build command lines (``apptainer_options`` does).

Example::

    with ApptainerProcess(command, job, group, scratch) as process:
        process.release()
        while not process.ended(0.2): ...
        exit_code = process.stop()
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from medperf_git.errors import EngineError
from medperf_git.runtime.apptainer_image import private
from medperf_git.runtime.cgroup import Cgroup
from medperf_git.runtime.engine import Job
from medperf_git.runtime.held_process import HeldProcess
from medperf_git.runtime.interrupt import Interrupted
from medperf_git.runtime.outputs import measure
from medperf_git.runtime.processes import family, first_processes, kill, resident, threads
from medperf_git.runtime.watchdog import Breach, Watchdog

THREADS: Final = 19
"""Processes and threads of Apptainer's own, and the shell's: sixteen to twenty were seen."""
# One line lets it go on. When the pipe ends, we are gone: then all of the group is killed.
_SHELL: Final = """\
exec 3<&0 </dev/null 4>&2 2>/dev/null
read -r _ <&3 || exit
{ read -r _; kill -KILL -$$; } <&3 >/dev/null 4>&- &
(exec 2>&4 3<&- 4>&-; exec "$@")
"""
_LOOK_SECONDS: Final = 0.01
_CLEAN_UP_SECONDS: Final = 10.0
_APART_SECONDS: Final = 1.0
"""A container gets its namespaces one after another."""
_FAILED: Final = 255
"""How Apptainer ends where it made no container, or found no such program in it."""
_SHARED: Final = "/dev/shm"  # noqa: S108 (only looked at)
_FUSE: Final = "squashfuse"
_BRINK: Final = 1024 * 1024
"""So little left is none: what was seen of tasks that hung there was half of it."""
WORK: Final = "work"
"""What a task has instead of a `/tmp` in memory."""


class ApptainerProcess(HeldProcess):
    """A task in its container; killed with all its processes when the block ends."""

    def __init__(
        self, command: Sequence[str], job: Job, group: Cgroup, scratch: Path, images: Path
    ) -> None:
        """Start it, held, under its limits.

        Args:
            command: Apptainer's, and the task's.
            job: what it runs.
            group: its control group, with room for `THREADS` besides.
            scratch: a private folder: the task's `/tmp` is below `scratch / WORK`.
            images: the folder of all SIF files.

        Raises:
            EngineError: it did not start, or could not be limited.
        """
        release, block = os.pipe()
        super().__init__(job, block)
        self._work = scratch / WORK
        self._images = images
        self._group = group
        self._first: int | None = None
        self._seen: float | None = None
        # Go starts as many threads as there are processors, and they count as processes.
        variables = {"GOMAXPROCS": "2", **private(scratch, "TMPDIR", "CACHEDIR", "CONFIGDIR")}
        try:
            self._start(["sh", "-c", _SHELL, "sh", *command], stdin=release, environment=variables)
        except OSError as error:
            os.close(block)
            raise EngineError(
                f"Apptainer does not start: {error}", code="engine-missing"
            ) from error
        finally:
            os.close(release)
        self._limit(self._process.pid, group)

    def ended(self, seconds: float) -> bool:
        """Whether it has ended, after waiting up to so many seconds.

        Raises:
            EngineError: `isolation`: the container shares what it must not.
        """
        deadline = time.monotonic() + seconds
        while self._first is None:
            if super().ended(min(_LOOK_SECONDS, max(0.0, deadline - time.monotonic()))):
                return True
            self._look()
            if time.monotonic() >= deadline:
                return False
        return super().ended(max(0.0, deadline - time.monotonic()))

    def _look(self) -> None:
        """See whether the container is there, and apart from us."""
        first = next(first_processes(self._process.pid), None)
        what = None if first is None else shared(first)
        if what is None:
            self._first = first
        elif self._seen is None:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > _APART_SECONDS:
            raise EngineError(f"the container has this machine's {what}", code="isolation")

    def stop(self) -> int:
        """Kill whatever still runs and wait until it is gone; see `HeldProcess.stop`.

        Raises:
            EngineError: `engine-failed`: no container was ever made.
        """
        code = super().stop()
        remove_stale(self._images)
        last = self._log.last_lines(1)
        if code == _FAILED and self._first is None and "container creation" in last:
            raise EngineError(
                "Apptainer made no container",
                code="engine-failed",
                place=str(self._log.stderr),
                # A task could have printed it: apart from the message.
                detail=last,
            )
        return code

    def _kill(self) -> None:
        """The container first: then Apptainer ends by itself, and unmounts what it has mounted."""
        for pid in first_processes(self._process.pid):
            kill(pid)
            if super().ended(_CLEAN_UP_SECONDS):
                return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def memory(self) -> int:
        """Bytes that its processes hold, and its files.

        Elsewhere `/tmp` lives in memory; here it is a folder, which nobody else limits. Where the
        kernel limits memory, it may not see the end of it: `Cgroup.unreclaimable`.
        """
        files = measure(self._work).size
        if self._kernel_memory:
            return self._group.unreclaimable() + _BRINK + files
        return sum(resident(pid) for pid in self._of_the_task()) + files + self._shared_memory()

    def _shared_memory(self) -> int:
        """Bytes in its `/dev/shm`, which no process need have mapped."""
        theirs = Path(f"/proc/{self._first}/root{_SHARED}")
        with suppress(OSError):
            # Until it has a root of its own, it sees ours.
            if self._first is not None and theirs.stat().st_dev != Path(_SHARED).stat().st_dev:
                disk = os.statvfs(theirs)
                return (disk.f_blocks - disk.f_bfree) * disk.f_frsize
        return 0

    def processes(self) -> int:
        """Processes and threads that it has; zero where the kernel counts them already."""
        if "pids" in self._group.enforces:
            return 0
        return sum(threads(pid) for pid in self._of_the_task())

    def _of_the_task(self) -> Iterator[int]:
        """What the container's first process, which is Apptainer's, has started."""
        if self._first is not None:
            yield from (pid for pid in family(self._first) if pid != self._first)


class ContainerWatchdog(Watchdog):
    """Counts processes too: no limit of the kernel's holds for one container alone."""

    def __init__(
        self, job: Job, folders: Sequence[Path], interrupted: Interrupted, process: ApptainerProcess
    ) -> None:
        super().__init__(job.limits, folders, interrupted, process.memory)
        self._most = job.limits.processes
        self._process = process

    def look(self) -> Breach | None:
        """What is wrong at this moment."""
        found = super().look()
        if found is None and self._process.processes() > self._most:
            return Breach(
                "process-limit",
                f"started more than {self._most} processes and threads",
                "raise resources.processes in the record, or the site's limit",
            )
        return found


def shared(pid: int) -> str | None:
    """What a process shares with us that a container must not; None for nothing."""
    for kind, what in (("net", "network"), ("ipc", "messages between processes")):
        # Apptainer's own process may hide from its user where it is set-uid; the trial was none.
        with suppress(OSError):
            theirs, ours = Path(f"/proc/{pid}/ns/{kind}"), Path(f"/proc/self/ns/{kind}")
            if theirs.readlink() == ours.readlink():
                return what
    return None


def remove_stale(images: Path) -> None:
    """End what serves one of our images to nobody: an Apptainer that was killed leaves it."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if not (path / "comm").read_text().startswith(_FUSE):
                continue
            parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
            if Path(f"/proc/{parent}/comm").read_text().startswith("starter"):
                continue
            opened = [each.readlink() for each in (path / "fd").iterdir()]
            if any(target.is_relative_to(images) for target in opened):
                kill(int(path.name))
