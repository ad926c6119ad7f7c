"""What was used last, within a bound: for what is named by its own bytes, and never goes stale.

Example:
    >>> memory = Memory[str](most=2)
    >>> memory.put("a", "A", 1), memory.put("b", "B", 1), memory.get("a"), memory.put("c", "C", 1)
    (None, None, 'A', None)
    >>> [memory.get(oid) for oid in "abc"]
    ['A', None, 'C']
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Memory(Generic[T]):
    """What was used last, by id, up to a total weight."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._known: dict[str, tuple[T, int]] = {}

    def get(self, oid: str) -> T | None:
        """What is remembered of an id."""
        found = self._known.pop(oid, None)
        if found is None:
            return None
        self._known[oid] = found  # the last to be forgotten
        return found[0]

    def put(self, oid: str, value: T, weight: int) -> None:
        """Remembers a value, and forgets others for it."""
        replaced = self._known.pop(oid, None)
        self._known[oid] = value, weight
        self._left -= weight - (replaced[1] if replaced else 0)
        while self._left < 0:
            _, gone = self._known.pop(next(iter(self._known)))
            self._left += gone
