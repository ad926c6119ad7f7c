"""What is called as long work goes on, so that somebody can show it.

Shows nothing itself.

Example:
    >>> untold(3, 10)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]
"""Called with what is done, and what there is in all."""


def untold(_done: int, _all: int) -> None:
    """Tells nobody."""
