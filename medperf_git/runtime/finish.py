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
from medperf_git.runtime import outputs
from medperf_git.runtime.engine import Job
from medperf_git.runtime.mounts import Mounts
from medperf_git.runtime.tasklog import TaskLog
from medperf_git.runtime.watchdog import Breach, Watchdog

_SIGNAL_BASE: Final = 128


def finish(
    job: Job, mounts: Mounts, watchdog: Watchdog, breach: Breach | None, exit_code: int
) -> int | None:
    """Raise unless the task kept its contract; deliver its files if it did.

    Args:
        job: what ran.
        mounts: where it wrote.
        watchdog: looks at the outputs a last time.
        breach: why it was killed, if it was.
        exit_code: how it ended.

    Returns:
        The exit code of a task that failed and whose outputs are kept all the same, else None.

    Raises:
        ExecutionError: the breach, `output-limit`, `task-failed`, `hostile-output` or
            `no-output`.
    """
    log = TaskLog(job.log)
    try:
        _judge(job, watchdog, breach, exit_code, log)
        for folder in mounts.writable:
            outputs.accept(folder)
        mounts.deliver()
    except ExecutionError as error:
        # Apart from the message: a line of a log can hold patients' data.
        error.detail = log.last_lines() or None
        raise
    return exit_code or None


def _judge(
    job: Job, watchdog: Watchdog, breach: Breach | None, exit_code: int, log: TaskLog
) -> None:
    # A write that the file size limit cut off leaves exactly as much as is allowed.
    breach = breach or watchdog.outputs(reached=exit_code != 0)
    place = f"{job.task}, log {log.main}"
    if breach is not None:
        raise ExecutionError(
            f"{job.task}: {breach.message}", code=breach.code, place=place, advice=breach.advice
        )
    if exit_code == 0 or job.keep_partial:
        return
    cause = log.cause(exit_code)
    raise ExecutionError(
        f"{job.task} failed with {describe_exit(exit_code)}"
        + (f"; likely cause: {cause.text}" if cause else ""),
        code="task-failed",
        place=place,
        advice=cause.advice if cause else f"read the whole log: less {log.main}",
    )


def describe_exit(code: int) -> str:
    """An exit code, with the signal that it stands for."""
    number = code - _SIGNAL_BASE if code > _SIGNAL_BASE else -code
    if number in {item.value for item in signal.Signals}:
        return f"exit code {code} ({signal.Signals(number).name})"
    return f"exit code {code}"
