"""Bringing one file here, from a path or a URL, never more bytes than expected.

Only `https`, `http` and `file` URLs and local paths; no other scheme, also not after a
redirect. Does not verify: whoever fetches holds the copy against a digest.

Example:
    >>> local_path("file:///data/a.tar"), local_path("https://example.org/a.tar")
    (PosixPath('/data/a.tar'), None)
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Final, Protocol

from medperf_git.errors import ArtefactError
from medperf_git.runtime.files import open_plain

_CHUNK: Final = 1024 * 1024
_TIMEOUT_SECONDS: Final = 30.0
_SLOWEST_BYTES_PER_SECOND: Final = 50_000


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


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
    found = copy_file(path, target, size) if path is not None else _download(source, target, size)
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
        return _copy(source, target, most, deadline=None)


def _download(url: str, target: Path, most: int) -> int:
    deadline = time.monotonic() + 2 * _TIMEOUT_SECONDS + most / _SLOWEST_BYTES_PER_SECOND
    request = urllib.request.Request(url, headers={"User-Agent": "mpgit"})  # noqa: S310 (see _opener)
    try:
        with _opener().open(request, timeout=_TIMEOUT_SECONDS) as response:
            return _copy(response, target, most, deadline)
    except urllib.error.HTTPError as error:
        error.close()
        raise _missing(f"HTTP {error.code}", url) from error
    except urllib.error.URLError as error:
        raise _missing(str(error.reason), url) from error
    except (http.client.HTTPException, TimeoutError, ConnectionError, ValueError) as error:
        raise _missing(f"{type(error).__name__}: {error}", url) from error


def _opener() -> urllib.request.OpenerDirector:
    """Handlers for HTTP alone: a redirect to `ftp:` or `file:` finds nobody to open it."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _copy(source: _Readable, target: Path, most: int, deadline: float | None) -> int:
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


def _missing(reason: str, place: str) -> ArtefactError:
    return ArtefactError(reason, code="artefact-missing", place=place)
