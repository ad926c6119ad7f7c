"""One bubblewrap process from its start, held until its limits stand, to its certain end.

Bubblewrap is started blocked, before it has run anything of the image; then its child is put
into the control group and gets resource limits, and only then is it released. Does not know
images or mounts (``sandbox_root`` does).

Example::

    with SandboxProcess(arguments, job, group) as process:
        process.release()
        while not process.ended(0.2): ...
        exit_code = process.stop()
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from medperf_git.errors import EngineError, MpgitError
from medperf_git.runtime import tasklog
from medperf_git.runtime.cgroup import SPARE_PROCESSES, Cgroup
from medperf_git.runtime.engine import Job, caller, limit, usable_cpus
from medperf_git.runtime.limits import Limits

_KIB: Final = 1024
_MAX_INFO: Final = 4096
_LOG_SECONDS: Final = 30.0


class SandboxProcess:
    """A task in its sandbox; killed with all its processes when the block ends."""

    def __init__(self, arguments: list[str], job: Job, group: Cgroup) -> None:
        """Start bubblewrap, blocked, and put its limits in place.

        Raises:
            EngineError: bubblewrap did not make the sandbox.
        """
        self._limits = job.limits
        self._kernel_memory = False
        self._log_error: MpgitError | None = None
        info, info_end = os.pipe()
        block_end, self._block = os.pipe()
        command = ["bwrap", "--info-fd", str(info_end), "--block-fd", str(block_end), *arguments]
        try:
            # A session of its own: Ctrl-C on the terminal reaches us, and we stop it in order.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(info_end, block_end),
                start_new_session=True,
                bufsize=0,
                env={"PATH": os.environ.get("PATH", os.defpath)},
            )
        except OSError as error:
            os.close(self._block)
            os.close(info)
            raise EngineError(
                f"bubblewrap does not start: {error}", code="engine-missing"
            ) from error
        finally:
            os.close(info_end)
            os.close(block_end)
        self._pump = threading.Thread(target=self._copy_log, args=(job.log,), daemon=True)
        self._pump.start()
        self._child = self._wait_for_child(info, job.log)
        self._set_limits(group)

    def _copy_log(self, path: Path) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        try:
            tasklog.copy(stream, path)
        except MpgitError as error:
            # The task must not hang on a full pipe because its log can't be written.
            self._log_error = error
            while stream.read(64 * _KIB):
                pass

    def _wait_for_child(self, info: int, log: Path) -> int:
        text = b""
        with os.fdopen(info, "rb", buffering=0) as stream:
            while len(text) < _MAX_INFO and (chunk := stream.read(_KIB)):
                text += chunk
        try:
            return int(json.loads(text)["child-pid"])
        except (ValueError, KeyError) as error:
            self.stop()
            raise EngineError(
                f"bubblewrap made no sandbox: {tasklog.last_lines(log) or 'no reason given'}",
                code="engine-failed",
                place=str(log),
            ) from error

    def _set_limits(self, group: Cgroup) -> None:
        group.add(self._child)
        self._kernel_memory = "memory" in group.enforces
        limits = self._limits
        caps = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: limits.output_bytes}
        if "pids" not in group.enforces:
            caps[resource.RLIMIT_NPROC] = limits.processes + SPARE_PROCESSES
        if not self._kernel_memory:
            caps[resource.RLIMIT_AS] = limits.memory_bytes
        try:
            for kind, value in caps.items():
                resource.prlimit(self._child, kind, (value, value))
        except OSError as error:
            self.stop()
            raise EngineError(
                f"the sandbox's limits can't be set: {error}", code="engine-failed"
            ) from error

    def release(self) -> None:
        """Let the task run."""
        with suppress(OSError):
            os.write(self._block, b"\n")

    def ended(self, seconds: float) -> bool:
        """Whether it has ended, after waiting up to so many seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> int:
        """Kill whatever still runs and wait until it is gone.

        Returns:
            The exit code, 128 + signal where a signal ended it.

        Raises:
            InputError: the log could not be written.
        """
        if self._process.poll() is None:
            # The first process of the namespace: with it the kernel kills all the others.
            with suppress(ProcessLookupError):
                os.kill(getattr(self, "_child", self._process.pid), signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        if self._block >= 0:
            os.close(self._block)
            self._block = -1
        self._pump.join(_LOG_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._log_error is not None:
            raise self._log_error
        return code if code >= 0 else 128 - code

    def memory(self) -> int:
        """Bytes that its processes hold; zero where the kernel watches that already."""
        if self._kernel_memory:
            return 0
        total, waiting = 0, [self._child]
        while waiting:
            pid = waiting.pop()
            waiting += _children(pid)
            total += _resident(pid)
        return total

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


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(child) for child in path.read_text().split()]
    return found


def _resident(pid: int) -> int:
    """Anonymous and shared memory of a process, without the files that it maps."""
    total = 0
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(("RssAnon:", "RssShmem:")):
                total += int(line.split()[1]) * _KIB
    return total


def isolation(limits: Limits, group: Cgroup) -> dict[str, Any]:
    """The isolation that a sandbox has, with who really enforces each limit."""
    enforces = group.enforces
    # The kernel exempts root from the limit on processes.
    unprivileged = "rlimit" if os.getuid() != 0 else "none"
    return {
        "network": "none",
        "capabilities": "none",
        "new_privileges": False,
        "root": "read-only",
        "inputs": "read-only",
        "user": caller(),
        "memory_mb": limit(limits.memory_mb, "cgroup" if "memory" in enforces else "watchdog"),
        "processes": limit(limits.processes, "cgroup" if "pids" in enforces else unprivileged),
        "cpus": limit(usable_cpus(limits), "cgroup" if "cpu" in enforces else "none"),
        "seconds": limit(limits.seconds, "watchdog"),
        "output_mb": limit(limits.output_mb, "watchdog"),
    }
