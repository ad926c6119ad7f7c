"""Folders from tree objects, read like their last version as far as the bytes are the same.

A registry's folders only grow, and each commit changes a few entries of a few of them. Of a wide
folder only what differs from a version that was read before is parsed; what comes out is what
`parse_tree` makes of the whole, with the same refusals, whichever version that was.

Example:
    >>> one = TreeEntry("a", 0o100644, "1" * 40)
    >>> two = TreeEntry("b", 0o100644, "2" * 40)
    >>> before = read_folder("x", tree_bytes([one]))
    >>> list(read_folder("y", tree_bytes([one, two]), before).entries)
    ['a', 'b']
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from operator import itemgetter
from typing import Final

from medperf_git.errors import GitError
from medperf_git.git.objects import TreeEntry, parse_tree, tree_bytes

_ENTRY: Final = re.compile(rb"[0-7]+ [^\0]+\0.{20}", re.DOTALL)
_name = itemgetter(0)


@dataclass
class Folder:
    """A tree object that was read: its bytes, and its entries by name in git's order."""

    payload: bytes
    entries: dict[str, TreeEntry]

    @cached_property
    def bounds(self) -> list[int]:
        """Where each entry begins, and where the last one ends."""
        return [0, *accumulate(map(len, _ENTRY.findall(self.payload)))]


_EMPTY: Final = Folder(b"", {})


def read_folder(oid: str, payload: bytes, like: Folder = _EMPTY) -> Folder:
    """The folder in a tree object's bytes.

    Args:
        oid: its id, for messages.
        payload: its bytes.
        like: any folder; the more they have in common, the quicker.

    Raises:
        GitError: it has another spelling, or a name that no checkout may have.
    """
    bounds = like.bounds
    first = bisect_right(bounds, _same_start(like.payload, payload)) - 1
    begin = bounds[first]
    last = bisect_left(bounds, len(like.payload) - _same_end(like.payload, payload, begin))
    end = len(payload) - len(like.payload) + bounds[last]
    new = parse_tree(oid, payload[begin:end])
    old = list(like.entries.values())
    before, after = old[:first], old[last:]
    seam = [entry.order for entry in (*before[-1:], *new, *after[:1])]
    every = [*before, *new, *after]
    made = Folder(payload, dict(zip(map(_name, every), every, strict=True)))
    if len(made.entries) != len(every) or seam != sorted(seam):
        raise GitError(f"the tree {oid} is malformed", code="bad-tree")
    if first or last < len(old):
        sizes = accumulate((len(tree_bytes([entry])) for entry in new), initial=begin)
        moved = end - bounds[last]
        made.bounds = [*bounds[:first], *sizes, *(at + moved for at in bounds[last + 1 :])]
    return made


def _same_start(left: bytes, right: bytes) -> int:
    """How many bytes two strings have in common at the start; halves, since slices compare fast."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _same_end(left: bytes, right: bytes, begin: int) -> int:
    """How many bytes they have in common at the end, none of them before `begin`."""
    low, high = 0, min(len(left), len(right)) - begin
    while low < high:
        middle = (low + high + 1) // 2
        if (
            left[len(left) - middle : len(left) - low]
            == right[len(right) - middle : len(right) - low]
        ):
            low = middle
        else:
            high = middle - 1
    return low
