"""Bringing one file here by HTTP, never more bytes than expected, and not for ever.

No other scheme, also not after a redirect. Imported by ``download`` alone, where it is needed.

Example::

    download("https://example.org/weights.bin", folder / "file", most=1024)
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from medperf_git.errors import ArtefactError
from medperf_git.runtime.stream_copy import copy_stream

_TIMEOUT_SECONDS: Final = 30.0
_SLOWEST_BYTES_PER_SECOND: Final = 50_000


def download(url: str, target: Path, most: int) -> int:
    """Copy what a URL gives to a new file.

    Returns:
        The number of bytes, or `most` + 1 where there are more: then the copy is cut off.

    Raises:
        ArtefactError: `artefact-missing`: not there, out of reach, or too slow.
    """
    deadline = time.monotonic() + 2 * _TIMEOUT_SECONDS + most / _SLOWEST_BYTES_PER_SECOND
    request = urllib.request.Request(url, headers={"User-Agent": "mpgit"})  # noqa: S310 (see _opener)
    try:
        with _opener().open(request, timeout=_TIMEOUT_SECONDS) as response:
            return copy_stream(response, target, most, deadline)
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


def _missing(reason: str, place: str) -> ArtefactError:
    return ArtefactError(reason, code="artefact-missing", place=place)
