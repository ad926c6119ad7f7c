"""Bringing one file here, from a path or a URL, never more bytes than expected.

Only `https`, `http` and `file` URLs and local paths. Does not verify: whoever fetches holds the
copy against a digest. How HTTP is spoken, ``http_download`` knows.

Example:
    >>> local_path("file:///data/a.tar"), local_path("https://example.org/a.tar")
    (PosixPath('/data/a.tar'), None)
"""

from __future__ import annotations

import urllib.parse
from pathlib import Path

from medperf_git.errors import ArtefactError
from medperf_git.runtime.files import open_plain
from medperf_git.runtime.stream_copy import copy_stream


def local_path(source: str) -> Path | None:
    """The path that a source names, or None where it is elsewhere."""
    parsed = urllib.parse.urlsplit(source)
    if parsed.scheme == "file":
        return Path(urllib.parse.unquote(parsed.path))
    return None if parsed.scheme in ("http", "https") else Path(source)


def fetch(source: str, target: Path, size: int, *, exact: bool = True) -> None:
    """Copy a source's bytes to a new file.

    Args:
        source: a path, or a `file`, `http` or `https` URL.
        target: the new file.
        size: how many bytes it has, or may have at most.
        exact: whether fewer bytes are an error too.

    Raises:
        ArtefactError: `artefact-missing`: not there or out of reach; `artefact-digest`: more
            or fewer bytes than the record says, so its digest can't fit.
    """
    path = local_path(source)
    if path is not None:
        found = copy_file(path, target, size)
    else:
        # Start-up cost: HTTP and TLS take a twentieth of a second, which cached artefacts save.
        from medperf_git.runtime.http_download import download  # noqa: PLC0415

        found = download(source, target, size)
    if found > size or (exact and found != size):
        more = "more than " if found > size else ""
        raise ArtefactError(
            f"expected {size} bytes, found {more}{min(found, size)}",
            code="artefact-digest",
            place=source,
            advice="get the version that the record names, or ask its owner",
        )


def copy_file(path: Path, target: Path, most: int) -> int:
    """Copy a regular file.

    Returns:
        The number of bytes, or `most` + 1 where there are more: then the copy is cut off.

    Raises:
        ArtefactError: no regular file, or not readable.
    """
    with open_plain(path, follow=True) as source:
        return copy_stream(source, target, most, deadline=None)
