"""Writes Git objects as they are given, hostile ones too, into a bare repository of its own.

No git is asked: a tree with one name twice, or with an object that is missing, is what an
attacker sends and what git's own tools refuse to make. Times are fixed, so that every run
writes the same commits.

Example:
    >>> import tempfile
    >>> objects = Objects(Path(tempfile.mkdtemp()) / "r.git")
    >>> objects.tree({"a/b.txt": (0o100644, b"hello")})
    '9d2f5ae21e8c09ee33a5b9e0ff9b4fc6b1c0a7f3'
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

FOLDER: Final = 0o040000
Content: TypeAlias = bytes | str
"""A file's bytes, or the id of an object that may not even exist."""
Files: TypeAlias = Mapping[str, tuple[int, Content]]
"""Mode and content by path."""

_CONFIG: Final = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
_WHO: Final = "attacker <attacker@example> 1767225600 +0000"


class Objects:
    """A bare repository that takes any object."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "objects").mkdir(parents=True)
        (path / "refs" / "heads").mkdir(parents=True)
        (path / "HEAD").write_text("ref: refs/heads/main\n")
        (path / "config").write_text(_CONFIG)

    def store(self, kind: str, payload: bytes) -> str:
        """Stores an object of this kind, whatever its bytes; returns its id."""
        whole = f"{kind} {len(payload)}\0".encode() + payload
        oid = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        file = self.path / "objects" / oid[:2] / oid[2:]
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(whole, 1))
        return oid

    def raw_tree(self, entries: Iterable[tuple[bytes, bytes, str]]) -> str:
        """A tree object with (mode, name, id) exactly as given, in that order."""
        lines = [mode + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries]
        return self.store("tree", b"".join(lines))

    def tree(self, files: Files) -> str:
        """A whole tree, as git would write it."""
        here: dict[str, tuple[int, str]] = {}
        below: dict[str, dict[str, tuple[int, Content]]] = {}
        for path, (mode, content) in files.items():
            name, _, rest = path.partition("/")
            if rest:
                below.setdefault(name, {})[rest] = (mode, content)
            else:
                oid = content if isinstance(content, str) else self.store("blob", content)
                here[name] = (mode, oid)
        here |= {name: (FOLDER, self.tree(inner)) for name, inner in below.items()}
        encoded = [
            (b"%o" % mode, name.encode("utf-8", "surrogateescape"), oid)
            for name, (mode, oid) in here.items()
        ]
        # Git sorts a folder as if its name ended in a slash.
        return self.raw_tree(sorted(encoded, key=lambda e: e[1] + b"/" * (e[0] == b"40000")))

    def commit(self, tree: str, parents: Sequence[str], message: str) -> str:
        """A commit."""
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {_WHO}", f"committer {_WHO}", "", message, ""]
        return self.store("commit", "\n".join(lines).encode())

    def ref(self, name: str, oid: str) -> None:
        """Points a branch at a commit."""
        (self.path / "refs" / "heads" / name).write_text(oid + "\n")
