"""What git says when it can't do what it is asked for, as an error that says how to mend it.

Runs nothing. Knows nothing of records.

Example:
    >>> error = failed("can't fetch from", "https://x.org/r", "fatal: Authentication failed for x")
    >>> error.code, error.message
    ('denied', "can't fetch from https://x.org/r: fatal: Authentication failed for x")
"""

from __future__ import annotations

import re
from typing import Final

from medperf_git.errors import GitError

OFFLINE: Final = "everything but fetching and sending works without network"
_DENIED = re.compile(
    r"could not read (Username|Password)|Authentication failed|returned error: 40[13]"
    r"|Permission denied|Permission to \S+ denied"
)
_TELLING = re.compile(r"(fatal|error|remote|ssh):|.*rejected")
_NO_IDS = re.compile(r"not our ref|unadvertised object|does not allow request")
_MOST_LINES: Final = 4
_MOST_CHARACTERS: Final = 600


def gives_no_ids(stderr: str) -> bool:
    """Whether a server gave only what it lists, and no object by its id."""
    return bool(_NO_IDS.search(stderr))


def failed(what: str, url: str, stderr: str, more: str = "") -> GitError:
    """The error for another repository that does not do what it is asked for.

    Args:
        what: what was tried, up to the address.
        url: the other repository.
        stderr: what git said.
        more: what else the advice says.
    """
    code, advice = "unreachable", "check the address, the network and your access, then try again"
    if _DENIED.search(stderr):
        code = "denied"
        advice = "you may not, or it does not know you: `mpgit login HOST` (GitHub, GitLab), or "
        advice += "the key or password that git itself uses"
    elif "rejected" in stderr:
        code, advice = "push-refused", "check your access to the repository, then try again"
    return GitError(
        f"{what} {url}: {reason(stderr)}",
        code=code,
        place=url,
        advice=f"{advice}; {more}" if more else advice,
    )


def no_partial(url: str, why: str) -> GitError:
    """The error for a server that gives all or nothing."""
    return GitError(
        f"{url} does not give single files: {why}",
        code="no-partial",
        place=url,
        advice="its server has to allow uploadpack.allowFilter and uploadpack.allowAnySHA1InWant "
        "(docs/small-clones.md); or read all of it: `mpgit registry add` without --benchmark",
    )


def reason(stderr: str) -> str:
    """What git itself said, in one line."""
    text = stderr.strip().removeprefix("stderr: '")
    lines = [line.strip(" '") for line in text.splitlines() if line.strip(" '")]
    telling = [line for line in lines if _TELLING.match(line)]
    return "; ".join((telling or lines)[:_MOST_LINES])[:_MOST_CHARACTERS]
