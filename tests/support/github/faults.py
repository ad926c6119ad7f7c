"""What can go wrong between a client and GitHub, once or several times, for chosen requests.

Example::

    host.faults.append(Fault("PUT", r"/merge$", "lost-reply"))
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.support.github.answers import Answer, refusal

Kind = Literal["lost-reply", "502", "timeout", "rate-limit", "secondary", "race", "late-race"]


@dataclass
class Fault:
    """One fault.

    `lost-reply` does the work and hangs up; `timeout` does nothing, waits, and hangs up;
    `race` runs `callback` before the work; `late-race` between a merge's commit and the move of
    its branch, when it must not ask the host anything by HTTP, for the host is held meanwhile.
    The others answer instead of doing the work.
    """

    method: str
    """`*` for every one."""
    pattern: str
    """Searched for in the path, without /api/v3 and without the query."""
    kind: Kind
    times: int = 1
    seconds: float = 3.0
    """How long a `timeout` waits: longer than the client does."""
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
        if self.kind == "rate-limit":
            made = refusal(403, "API rate limit exceeded for user ID 1.").answer
            made.headers |= {
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(int(time.time()) + 1),
            }
            return made
        if self.kind == "secondary":
            text = "You have exceeded a secondary rate limit. Please wait a few minutes."
            made = refusal(403, text).answer
            made.headers["Retry-After"] = "1"
            return made
        return None

    def race(self) -> None:
        """Runs the callback."""
        assert self.callback, f"a {self.kind} needs a callback"
        self.callback()
