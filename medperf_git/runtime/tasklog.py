r"""The log of a task: what it printed, capped, and the facts of its run; kept at the site.

Three files with one beginning: `infer.stdout`, `infer.stderr`, and `infer.json` with command,
image, environment, limits and exit code. A run that was killed leaves a `.json` without an
outcome. Of what was printed the beginning is kept as it comes, of the rest only the end. Logs
may hold patients' data, so they are the caller's alone; errors carry their last lines apart from
their message, with control characters made harmless. Does not read what they say.

Example:
    >>> import io, tempfile
    >>> log = TaskLog(Path(tempfile.mkdtemp()) / "infer")
    >>> copy(io.BytesIO(b"started\nValueError: no age\n"), log.stderr)
    >>> log.last_lines(1)
    'ValueError: no age'
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from medperf_git.atomic import explain, write_bytes
from medperf_git.errors import MpgitError
from medperf_git.records.container import ReferenceImage
from medperf_git.records.execution import Engine as EngineRecord
from medperf_git.runtime.causes import Cause, likely_cause
from medperf_git.runtime.engine import Job, caller

MAX_BYTES: Final = 10 * 1024 * 1024
_TAIL_BYTES: Final = 256 * 1024
_CHUNK: Final = 64 * 1024
_LAST_LINES: Final = 5
_MAX_LINE: Final = 300


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Chunks:
    """An engine's stream of chunks, readable like a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def read(self, _size: int, /) -> bytes:
        """The next chunk, or nothing at the end."""
        return next(self._chunks, b"")


class TaskLog:
    """The files of one task's log.

    Attributes:
        stdout: what it printed.
        stderr: what it printed as errors.
        facts: how it was run and how it ended, as JSON.
    """

    def __init__(self, base: Path) -> None:
        """A log of this base path, such as `logs/infer`; nothing is written yet."""
        self.stdout, self.stderr, self.facts = (
            base.with_name(f"{base.name}.{kind}") for kind in ("stdout", "stderr", "json")
        )
        self._told: dict[str, Any] = {}

    def begin(
        self, job: Job, engine: EngineRecord, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        """Note what starts now, in place of an earlier try's log.

        Args:
            job: the task.
            engine: what runs it.
            command: the program and its arguments, the image's entrypoint included.
            environment: every variable that it gets.

        Raises:
            InputError: the log can't be written.
        """
        for path in (self.stdout, self.stderr):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise explain(error, path) from error
        self._told = _facts(job) | {
            "engine": engine.model_dump(),
            "command": list(command),
            "environment": dict(environment),
        }
        self._write()

    def ended(self, exit_code: int, seconds: float) -> None:
        """Note how the task ended; written with the outcome."""
        self._told |= {"exit_code": exit_code, "seconds": round(seconds, 3)}

    def close(self, outcome: str) -> None:
        """Write what it came to: `finished`, or an error's code.

        A log that can't be finished must not hide what the task came to.
        """
        if not self._told:
            return
        self._told["outcome"] = outcome
        cause = self.cause(self._told.get("exit_code")) if outcome == "task-failed" else None
        if cause is not None:
            self._told["likely_cause"] = cause.code
        with suppress(MpgitError):
            self._write()

    def _write(self) -> None:
        write_bytes(self.facts, (json.dumps(self._told, indent=1) + "\n").encode())

    @property
    def main(self) -> Path:
        """The file to read first."""
        return self.stderr if last_lines(self.stderr, 1) else self.stdout

    def last_lines(self, count: int = _LAST_LINES) -> str:
        """The last lines that say something, safe to print on a terminal; errors before all."""
        return last_lines(self.stderr, count) or last_lines(self.stdout, count)

    def cause(self, exit_code: int | None) -> Cause | None:
        """The likely cause of a failure."""
        return likely_cause(exit_code, _end(self.stderr), _end(self.stdout))


def _facts(job: Job) -> dict[str, Any]:
    """What is known of a task before it starts."""
    image = job.container.image
    facts: dict[str, Any] = {
        "task": job.task,
        "image": {"type": image.type, "sha256": image.digest},
        "user": caller(),
        "limits": asdict(job.limits),
        "gpus": list(job.gpus),
        "began": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    if owner := getattr(job.container, "id", None):
        facts["container"] = str(owner)
    if isinstance(image, ReferenceImage):
        facts["image"]["reference"] = image.reference
    return facts


@contextmanager
def logged(job: Job) -> Iterator[TaskLog]:
    """A job's log, closed with the outcome of the block."""
    log = TaskLog(job.log)
    try:
        yield log
    except MpgitError as error:
        log.close(error.code)
        raise
    log.close("finished")


def copy(stream: _Readable, path: Path, most: int = MAX_BYTES) -> None:
    """Write a stream to a new file until it ends: its first bytes, and its last.

    Raises:
        InputError: the file can't be written.
    """
    written, dropped, tail = 0, 0, b""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0) as file:
            while chunk := stream.read(_CHUNK):
                fits = chunk[: max(0, most - _TAIL_BYTES - written)]
                written += file.write(fits) if fits else 0
                rest = tail + chunk[len(fits) :]
                dropped += max(0, len(rest) - _TAIL_BYTES)
                tail = rest[-_TAIL_BYTES:]
            if dropped:
                file.write(f"\n[{dropped} bytes left out]\n".encode())
            file.write(tail)
    except OSError as error:
        raise explain(error, path) from error


def _end(path: Path) -> str:
    """The end of a file as text."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _CHUNK))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def last_lines(path: Path, count: int = _LAST_LINES) -> str:
    """The last lines of a file that say something, safe to print on a terminal."""
    lines = [line.rstrip() for line in _end(path).splitlines() if line.strip()]
    return "\n".join(printable(line[-_MAX_LINE:]) for line in lines[-count:])


def printable(line: str) -> str:
    """The line without characters that a terminal would obey."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line
    )
