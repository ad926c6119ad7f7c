"""What can go wrong between a client and GitLab, once or several times, for chosen requests.

Example::

    host.faults.append(Fault("PUT", r"/merge$", "lost-reply"))
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.support.gitlab.answers import Answer

Kind = Literal["lost-reply", "hang-up", "502", "html", "rate-limit", "elsewhere", "echo", "race"]


@dataclass
class Fault:
    """One fault.

    `lost-reply` does the work and hangs up, `hang-up` does nothing; `race` runs `callback` before
    the work. The others answer instead of doing the work.
    """

    method: str
    """`*` for every one."""
    pattern: str
    """Searched for in the path, without /api/v4 and without the query."""
    kind: Kind
    times: int = 1
    seconds: int = 1
    """How long a `rate-limit` asks to wait."""
    location: str = ""
    """Where `elsewhere` leads."""
    text: str = ""
    """What an `echo` says."""
    callback: Callable[[], object] | None = None

    def strikes(self, method: str, path: str) -> bool:
        """Whether it meets this request; counts it then."""
        if self.times < 1 or self.method not in ("*", method):
            return False
        if not re.search(self.pattern, path):
            return False
        self.times -= 1
        return True

    def answer(self) -> Answer | None:
        """What is answered instead; None where the work is done."""
        if self.kind == "502":
            return Answer(502, b"<html><h1>502 Bad Gateway</h1></html>", {}, "text/html")
        if self.kind == "html":
            return Answer(200, b"<html><h1>Sign in</h1></html>", {}, "text/html")
        if self.kind == "rate-limit":
            return Answer(429, b"Retry later\n", {"Retry-After": str(self.seconds)}, "text/plain")
        if self.kind == "echo":
            return Answer(400, {"message": self.text})
        if self.kind == "elsewhere":
            return Answer(302, b"", {"Location": self.location}, "text/plain")
        return None
