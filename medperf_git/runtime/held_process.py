"""A task's process from its start, held until its limits stand, to its certain end.

What engines without a daemon share: the process waits for one line on a pipe, so that its control
group and resource limits are in place before it runs anything of the image; what it prints goes
to the log; its end is waited for, or made. Does not know how an engine builds its container
(``sandbox_process`` and ``apptainer_process`` do).

Example::

    with SandboxProcess(arguments, job, group) as process:
        process.release()
        while not process.ended(0.2): ...
        exit_code = process.stop()
"""

from __future__ import annotations

import os
import resource
import select
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from medperf_git.errors import EngineError, MpgitError
from medperf_git.runtime import tasklog
from medperf_git.runtime.cgroup import Cgroup
from medperf_git.runtime.engine import Job, caller, limit, usable_cpus
from medperf_git.runtime.limits import core_bytes
from medperf_git.runtime.owner import VARIABLE, owner
from medperf_git.runtime.processes import family, kill, resident
from medperf_git.runtime.tasklog import TaskLog

_KIB: Final = 1024
_MILLI: Final = 1000
_LOG_SECONDS: Final = 30.0


class HeldProcess:
    """A process that waits for its release; killed with all its processes when the block ends."""

    def __init__(self, job: Job, block: int) -> None:
        """Nothing is started yet.

        Args:
            job: what it runs, and where its log goes.
            block: the end of a pipe on which one line lets the task run.
        """
        self._limits = job.limits
        self._log = TaskLog(job.log)
        self._block = block
        self._handle = -1
        self._kernel_memory = False
        self._log_error: MpgitError | None = None

    def _start(
        self,
        command: Sequence[str],
        *,
        stdin: int = subprocess.DEVNULL,
        pass_fds: tuple[int, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it, with everything that it prints going to the log.

        Raises:
            OSError: there is no such program.
        """
        # A session of its own: Ctrl-C on the terminal reaches us, and we stop it in order.
        self._process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=pass_fds,
            start_new_session=True,
            bufsize=0,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                VARIABLE: owner(),
                **(environment or {}),
            },
        )
        self._handle = os.pidfd_open(self._process.pid)
        log = self._log
        streams = ((self._process.stdout, log.stdout), (self._process.stderr, log.stderr))
        self._pumps = [
            threading.Thread(target=self._copy, args=pair, daemon=True) for pair in streams
        ]
        for pump in self._pumps:
            pump.start()

    def _copy(self, stream: IO[bytes], path: Path) -> None:
        try:
            tasklog.copy(stream, path)
        except MpgitError as error:
            # The task must not hang on a full pipe because its log can't be written.
            self._log_error = error
            while stream.read(64 * _KIB):
                pass

    def _limit(self, pid: int, group: Cgroup) -> None:
        """Put a process under its group and resource limits, before it has started others.

        Raises:
            EngineError: `engine-failed`.
        """
        group.add(pid)
        self._kernel_memory = "memory" in group.enforces
        try:
            for kind, value in self._resources(group).items():
                resource.prlimit(pid, kind, (value, value))
        except ProcessLookupError as error:
            # It gave up at once: something that it should mount is not there.
            self.stop()
            raise EngineError(
                "the engine gave up before the task began",
                code="engine-failed",
                place=str(self._log.stderr),
                detail=self._log.last_lines() or None,
            ) from error
        except OSError as error:
            self.stop()
            raise EngineError(
                f"the task's limits can't be set: {error}", code="engine-failed"
            ) from error

    def _resources(self, group: Cgroup) -> dict[int, int]:  # noqa: ARG002 (others need it)
        """Resource limits by the kernel's numbers for them."""
        return {
            resource.RLIMIT_CORE: core_bytes(),
            resource.RLIMIT_FSIZE: self._limits.output_bytes,
        }

    def release(self) -> None:
        """Let the task run."""
        with suppress(OSError):
            os.write(self._block, b"\n")

    def ended(self, seconds: float) -> bool:
        """Whether it has ended, after waiting up to so many seconds."""
        # The kernel tells at once; Popen.wait() with a time limit looks twenty times a second.
        if self._process.returncode is None:
            poll = select.poll()
            poll.register(self._handle, select.POLLIN)
            poll.poll(seconds * _MILLI)
        return self._process.poll() is not None

    def stop(self) -> int:
        """Kill whatever still runs and wait until it is gone.

        Returns:
            The exit code, 128 + signal where a signal ended it.

        Raises:
            InputError: the log could not be written.
        """
        if self._process.poll() is None:
            self._kill()
        code = self._process.wait()
        for end in (self._block, self._handle):
            if end >= 0:
                os.close(end)
        self._block = self._handle = -1
        for pump in self._pumps:
            pump.join(_LOG_SECONDS)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        if self._log_error is not None:
            raise self._log_error
        return code if code >= 0 else 128 - code

    def _kill(self) -> None:
        """Kill it and all that it has started; it has not ended yet."""
        kill(self._process.pid)

    def memory(self) -> int:
        """Bytes that its processes hold; zero where the kernel watches that already."""
        if self._kernel_memory:
            return 0
        return sum(resident(pid) for pid in family(self._process.pid))

    def __enter__(self) -> Self:
        """The process itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Make sure that nothing of it is left."""
        if error is None:
            self.stop()
            return
        with suppress(MpgitError):
            self.stop()


def isolation(job: Job, group: Cgroup, processes: str) -> dict[str, Any]:
    """The isolation of a task without a daemon, with who really enforces each limit.

    Args:
        job: what ran.
        group: its control group.
        processes: who limits them where the group does not.
    """
    limits = job.limits
    enforces = group.enforces
    return {
        "network": "none",
        "capabilities": "none",
        "new_privileges": False,
        "root": "read-only",
        "inputs": "read-only",
        "user": caller(),
        "memory_mb": limit(limits.memory_mb, "cgroup" if "memory" in enforces else "watchdog"),
        "processes": limit(limits.processes, "cgroup" if "pids" in enforces else processes),
        "cpus": limit(usable_cpus(limits), "cgroup" if "cpu" in enforces else "none"),
        "seconds": limit(limits.seconds, "watchdog"),
        "output_mb": limit(limits.output_mb, "watchdog"),
        "gpus": len(job.gpus) or None,
    }
