"""One bubblewrap process: started blocked, released once its limits stand.

Bubblewrap tells its child's process id and waits before it runs anything of the image; the child
is what gets the limits, and with it the kernel kills all that a task has started. Does not know
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
from typing import Final

from medperf_git.errors import EngineError
from medperf_git.runtime.cgroup import SPARE_PROCESSES, Cgroup
from medperf_git.runtime.engine import Job
from medperf_git.runtime.held_process import HeldProcess
from medperf_git.runtime.processes import kill
from medperf_git.runtime.seccomp import filter_handle

_CHUNK: Final = 1024
_MAX_INFO: Final = 4096


class SandboxProcess(HeldProcess):
    """A task in its sandbox; killed with all its processes when the block ends."""

    def __init__(self, arguments: list[str], job: Job, group: Cgroup) -> None:
        """Start bubblewrap, blocked, and put its limits in place.

        Raises:
            EngineError: bubblewrap did not make the sandbox.
        """
        info, info_end = os.pipe()
        block_end, block = os.pipe()
        super().__init__(job, block)
        try:
            with filter_handle() as calls:
                handles = (info_end, block_end, calls)
                names = ("--info-fd", "--block-fd", "--seccomp")
                pairs = zip(names, map(str, handles), strict=True)
                words = [word for pair in pairs for word in pair]
                self._start(["bwrap", *words, *arguments], pass_fds=handles)
        except OSError as error:
            os.close(block)
            os.close(info)
            raise EngineError(
                f"bubblewrap does not start: {error}", code="engine-missing"
            ) from error
        finally:
            os.close(info_end)
            os.close(block_end)
        self._child: int | None = None
        self._child = self._wait_for_child(info)
        self._limit(self._child, group)

    def _wait_for_child(self, info: int) -> int:
        text = b""
        with os.fdopen(info, "rb", buffering=0) as stream:
            while len(text) < _MAX_INFO and (chunk := stream.read(_CHUNK)):
                text += chunk
        try:
            return int(json.loads(text)["child-pid"])
        except (ValueError, KeyError) as error:
            self.stop()
            raise EngineError(
                "bubblewrap made no sandbox",
                code="engine-failed",
                place=str(self._log.stderr),
                detail=self._log.last_lines() or None,
            ) from error

    def _resources(self, group: Cgroup) -> dict[int, int]:
        caps = super()._resources(group)
        if "pids" not in group.enforces:
            caps[resource.RLIMIT_NPROC] = self._limits.processes + SPARE_PROCESSES
        if not self._kernel_memory:
            caps[resource.RLIMIT_AS] = self._limits.memory_bytes
        return caps

    def _kill(self) -> None:
        # The first process of the namespace: with it the kernel kills all the others.
        if self._child is not None:
            kill(self._child)
        kill(self._process.pid)
