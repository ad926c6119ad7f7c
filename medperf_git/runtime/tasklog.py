r"""The log of a task: what it printed, capped, kept at the site.

The beginning is kept as it comes, of the rest only the end. Logs may hold patients' data, so
they are the caller's alone; errors quote their last lines with control characters made
harmless. Does not read what they say.

Example:
    >>> import io, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "log"
    >>> copy(io.BytesIO(b"started\nValueError: no age\n"), path)
    >>> last_lines(path, 1)
    'ValueError: no age'
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Protocol

from medperf_git.atomic import explain

MAX_BYTES: Final = 10 * 1024 * 1024
_TAIL_BYTES: Final = 256 * 1024
_CHUNK: Final = 64 * 1024
_LAST_LINES: Final = 5
_MAX_LINE: Final = 300


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def copy(stream: _Readable, path: Path, most: int = MAX_BYTES) -> None:
    """Write a stream to a new log until it ends: its first bytes, and its last.

    Raises:
        InputError: the log can't be written.
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


def last_lines(path: Path, count: int = _LAST_LINES) -> str:
    """The last lines of a log that say something, safe to print on a terminal."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _CHUNK))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(printable(line[-_MAX_LINE:]) for line in lines[-count:])


def printable(line: str) -> str:
    """The line without characters that a terminal would obey."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line
    )
