"""Git's objects as values: entries of trees, commits, ids; pure, without Git.

Trees are read in their one spelling, so that what is judged is what git would check out.
``vcs`` is what reads and stores objects.

Example:
    >>> blob_id(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple

from medperf_git.errors import GitError

FILE_MODE: Final = 0o100644
TREE_MODE: Final = 0o040000
EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

_TREE_ENTRY = re.compile(rb"([1-7][0-7]{4,5}) ([^\0/]+)\0(.{20})", re.DOTALL)
# Possessive: without a way back, a malformed tree is refused in linear time.
_TREE = re.compile(rb"(?:[1-7][0-7]{4,5}+ [^\0/]++\0.{20})*+", re.DOTALL)
_TREE_WORD: Final = b"40000"
_NO_NAMES: Final = frozenset({".", "..", ".git"})
"""Names that no checkout may have; git refuses them too, in any case."""
_LONGEST_NO_NAME: Final = max(map(len, _NO_NAMES))


class TreeEntry(NamedTuple):
    """One entry of a tree object."""

    name: str
    mode: int
    oid: str

    @property
    def is_tree(self) -> bool:
        """Whether it is a folder."""
        return self.mode == TREE_MODE

    @property
    def order(self) -> bytes:
        """What git sorts by: a folder as if its name ended in a slash."""
        return self.name.encode("utf-8", "surrogateescape") + (b"/" if self.is_tree else b"")


_name = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: ids in hex, time in seconds since 1970 (UTC)."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    author: str
    time: int
    message: str

    @property
    def subject(self) -> str:
        """The message's first line."""
        return self.message.partition("\n")[0]


def object_id(kind: bytes, payload: bytes) -> str:
    """Git's own id for an object."""
    head = b"%s %d\0" % (kind, len(payload))
    return hashlib.sha1(head + payload, usedforsecurity=False).hexdigest()


def blob_id(payload: bytes) -> str:
    """The id that Git gives a blob with these bytes."""
    return object_id(b"blob", payload)


def tree_id(entries: Iterable[TreeEntry]) -> str:
    """The id that Git gives a tree with these entries."""
    return object_id(b"tree", tree_bytes(entries))


def tree_bytes(entries: Iterable[TreeEntry]) -> bytes:
    """A tree object's bytes."""
    return b"".join(
        b"%o %s\0%s"
        % (entry.mode, entry.name.encode("utf-8", "surrogateescape"), bytes.fromhex(entry.oid))
        for entry in sorted(entries, key=lambda entry: entry.order)
    )


def parse_tree(oid: str, payload: bytes) -> tuple[TreeEntry, ...]:
    """The entries of a tree object, in its one spelling.

    What other readers could see otherwise (a name twice or out of order, a slash in a name)
    is refused, so that what is judged is what git would check out.

    Raises:
        GitError: it has another spelling, or a name that no checkout may have.
    """
    whole = _TREE.fullmatch(payload) is not None
    found = _TREE_ENTRY.findall(payload) if whole else []
    entries = tuple(map(_entry, found))
    names = set(map(_name, entries))
    orders = [name + b"/" if mode == _TREE_WORD else name for mode, name, _ in found]
    if not whole or len(names) != len(entries) or orders != sorted(orders):
        raise GitError(f"the tree {oid} is malformed", code="bad-tree")
    short = (name for name in names if len(name) <= _LONGEST_NO_NAME)
    if odd := sorted(name for name in short if name.lower() in _NO_NAMES):
        raise GitError(f"the tree {oid} has an entry named {odd[0]}", code="bad-tree")
    return entries


@lru_cache(maxsize=32_768)  # most entries of a folder are those of its last version
def _entry(raw: tuple[bytes, bytes, bytes]) -> TreeEntry:
    mode, name, binary = raw
    return TreeEntry(name.decode("utf-8", "surrogateescape"), int(mode, 8), binary.hex())


def parse_commit(oid: str, payload: bytes) -> Commit:
    """The commit in a commit object's bytes.

    Raises:
        GitError: it has no tree, author or time.
    """
    header, _, message = payload.decode("utf-8", "replace").partition("\n\n")
    fields: dict[str, list[str]] = {}
    for line in header.split("\n"):
        name, _, value = line.partition(" ")
        fields.setdefault(name, []).append(value)
    try:
        author, _, stamp = fields["author"][0].rpartition("> ")
        return Commit(
            oid=oid,
            tree=fields["tree"][0],
            parents=tuple(fields.get("parent", ())),
            author=author + ">",
            time=int(stamp.split(" ")[0]),
            message=message,
        )
    except (KeyError, ValueError) as error:
        raise GitError(f"the commit {oid} is malformed", code="no-object") from error


def commit_bytes(tree: str, parents: Sequence[str], message: str, author: tuple[str, str]) -> bytes:
    """A commit object's bytes, written now by `author` (name and address)."""
    stamp = f"{_plain(author[0])} <{_plain(author[1])}> {int(time.time())} +0000"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    text = message.replace("\0", "").rstrip("\n") + "\n"
    lines += [f"author {stamp}", f"committer {stamp}", "", text]
    return "\n".join(lines).encode("utf-8", "replace")


def _plain(text: str) -> str:
    return re.sub(r"[<>\n\0]", "", text).strip() or "mpgit"
