"""The end of a task, the same on every engine: judge it, look at its outputs, deliver them.

Does not stop the task: it has ended when this is called.

Example:
    >>> describe_exit(3), describe_exit(137)
    ('exit code 3', 'exit code 137 (SIGKILL)')
"""

from __future__ import annotations

import signal
from typing import Final

from medperf_git.errors import ExecutionError
from medperf_git.runtime import outputs, tasklog
from medperf_git.runtime.engine import Job
from medperf_git.runtime.mounts import Mounts
from medperf_git.runtime.watchdog import Breach, Watchdog

_SIGNAL_BASE: Final = 128


def finish(
    job: Job, mounts: Mounts, watchdog: Watchdog, breach: Breach | None, exit_code: int
) -> None:
    """Raise unless the task kept its contract; deliver its files if it did.

    Args:
        job: what ran.
        mounts: where it wrote.
        watchdog: looks at the outputs a last time.
        breach: why it was killed, if it was.
        exit_code: how it ended.

    Raises:
        ExecutionError: the breach, `output-limit`, `task-failed`, `hostile-output` or
            `no-output`.
    """
    place = f"{job.task}, log {job.log}"
    # A write that the file size limit cut off leaves exactly as much as is allowed.
    breach = breach or watchdog.outputs(reached=exit_code != 0)
    if breach is not None:
        raise breach.error(place)
    if exit_code != 0:
        raise _task_failed(job, exit_code)
    for folder in mounts.writable:
        outputs.accept(folder)
    mounts.deliver()


def _task_failed(job: Job, exit_code: int) -> ExecutionError:
    lines = tasklog.last_lines(job.log)
    ending = f"; its last lines:\n{lines}" if lines else "; it printed nothing"
    return ExecutionError(
        f"{job.task} failed with {describe_exit(exit_code)}{ending}",
        code="task-failed",
        place=str(job.log),
        advice=f"read the whole log: less {job.log}",
    )


def describe_exit(code: int) -> str:
    """An exit code, with the signal that it stands for."""
    number = code - _SIGNAL_BASE if code > _SIGNAL_BASE else -code
    if number in {item.value for item in signal.Signals}:
        return f"exit code {code} ({signal.Signals(number).name})"
    return f"exit code {code}"
