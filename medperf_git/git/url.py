"""Addresses that git may be given: no options in disguise, no helpers that run commands.

Example:
    >>> refuse_url("ssh://host/registry.git")
    'ssh://host/registry.git'
"""

from __future__ import annotations

import re

from medperf_git.errors import GitError

# No part begins with a dash: ssh would read it as an option.
_SCP_LIKE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*@[A-Za-z0-9.][A-Za-z0-9.-]*:[^:-].*")
_SECRET = re.compile(r"(?<=://)[^/@\s]+(?=@)|(?<=[?&])[^&#\s]*=[^&#\s]*")
_URL = re.compile(r"(?:file|git|https?|ssh)://[^-\s][^\s\0]*")


def refuse_url(url: str) -> str:
    """`url` itself if it is one that git may be given.

    Raises:
        GitError: an option in disguise, or a helper such as ``ext::``.
    """
    head = url.partition("/")[0]
    plain_path = "://" not in url and "::" not in url and not re.search("[@:]-", head)
    clean = bool(url) and not url.startswith("-") and not re.search(r"[\0\n\r]", url)
    if clean and (_URL.fullmatch(url) or _SCP_LIKE.fullmatch(url) or plain_path):
        return url
    raise GitError(
        f"not a repository address: {url!r}",
        code="bad-url",
        advice="give https://…, ssh://…, user@host:path, file:///… or a path",
    )


def without_secrets(text: str) -> str:
    """A text in which no address names a user, a password, a token or a query.

    Example:
        >>> without_secrets("can't fetch from https://ky:hunter2@host/registry.git?key=1")
        "can't fetch from https://…@host/registry.git?…"
    """
    return _SECRET.sub("…", text)
