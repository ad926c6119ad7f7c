"""Copying a stream to a new file, never more bytes or for longer than it may be.

Example:
    >>> import io, tempfile
    >>> target = Path(tempfile.mkdtemp()) / "file"
    >>> copy_stream(io.BytesIO(b"abc"), target, 2, None), target.stat().st_size
    (3, 0)
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, Protocol

_CHUNK: Final = 1024 * 1024


class Readable(Protocol):
    """What a stream needs."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


def copy_stream(source: Readable, target: Path, most: int, deadline: float | None) -> int:
    """Copy a stream to a new file, until it ends, or is larger or slower than it may be.

    Returns:
        The number of bytes, or `most` + 1 where there are more: then the copy is cut off.

    Raises:
        TimeoutError: the deadline, by the monotonic clock, has passed.
    """
    copied = 0
    with target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            copied += len(chunk)
            if copied > most:
                return most + 1
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"only {copied} bytes until the deadline")
            file.write(chunk)
    return copied
