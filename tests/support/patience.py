"""How long a test waits, and what it allows something to cost, on a machine that others use too.

A bound here tells what ends from what does not, or straight cost from quadratic cost; it is no
measurement (those are in `perf/`). So waiting is generous, and a cost is the best of several tries,
in the processor's seconds of a computer of today.

    until(lambda: not sandboxes(site))
    assert_cheap(lambda: parse(payload), 0.5)

It does not judge what came out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from subprocess import Popen
from typing import Any

PATIENCE = 90.0
"""Seconds after which something is taken never to happen."""
_TRIES = 7
_LOOP = 0.033
"""Processor seconds that `slowness`' loop takes on a computer of today."""


def until(condition: Callable[[], Any], process: Popen[str] | None = None) -> None:
    """Returns once the condition holds; fails if it never does, or the process ends before."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


@cache
def slowness() -> float:
    """How often longer this machine takes for a plain loop than a computer of today; at least 1."""
    return max(1.0, _best(lambda: sum(number * number for number in range(1_000_000)), 0) / _LOOP)


def assert_cheap(action: Callable[[], Any], seconds: float, told: object = None) -> None:
    """Fails if the best of several tries takes more of the processor's seconds than these."""
    best = _best(action, bound := seconds * slowness())
    assert best < bound, (best, told)


def _best(action: Callable[[], Any], enough: float) -> float:
    """Processor seconds of the best try; there are no more tries once one takes little enough."""
    best = float("inf")
    for _ in range(_TRIES):
        began = time.process_time()
        action()
        best = min(best, time.process_time() - began)
        if best < enough:
            break
    return best
