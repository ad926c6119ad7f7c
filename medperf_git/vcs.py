r"""Git: objects, refs, commits, fetch and push.

Reads blobs and trees by id and builds commits from objects; there is never a checkout, so
nothing that a tree brings (attributes, filters, hooks, submodules) is ever acted on. Knows
nothing of records.

Example:
    >>> import tempfile
    >>> repository = Repository.create(Path(tempfile.mkdtemp()) / "r.git")
    >>> blob = repository.write_blob(b"hello\n")
    >>> tree = repository.write_tree([TreeEntry("a.txt", 0o100644, blob)])
    >>> list(repository.folder(tree))
    ['a.txt']
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from medperf_git.git.history import History
from medperf_git.git.objects import (
    TreeEntry,
    commit_bytes,
    parse_tree,
    tree_bytes,
)
from medperf_git.progress import Progress, untold

if TYPE_CHECKING:  # see `Repository._commands`
    from medperf_git.git.commands import GitCommands


_NEAR: Final = 20
"""Commits that a request has, and its approvals."""


class Repository(History):
    """One repository on this disk, bare or not; only its objects and refs are used."""

    def __init__(self, folder: Path, objects: Path) -> None:
        """Starts nothing yet; `open` and `create` look whether it is there."""
        super().__init__(folder, objects)
        self._again = False
        self._tell: Progress = untold

    @cached_property
    def _commands(self) -> GitCommands:
        # Start-up cost: GitPython takes longer to import than a registry takes to be read.
        from medperf_git.git.commands import GitCommands  # noqa: PLC0415

        return GitCommands(self._folder, self._objects)

    # --- opening -------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path, branch: str = "main") -> Repository:
        """A new bare repository.

        Raises:
            GitError: it can't be made there.
        """
        from medperf_git.git.commands import create  # noqa: PLC0415 (as in `_commands`)

        return cls.open(create(path, branch))

    @classmethod
    def open(cls, path: Path) -> Repository:
        """The repository at `path` (a working folder, a bare repository or a `.git`).

        Raises:
            GitError: there is none.
        """
        for folder in (path, path / ".git"):
            if _is_git_folder(folder):
                return cls(folder, folder.absolute() / "objects")
        from medperf_git.git.commands import find  # noqa: PLC0415 (as in `_commands`)

        return cls(*find(path))

    # --- reading -------------------------------------------------------------------------

    def refs(self, prefix: str) -> dict[str, str]:
        """All refs below a prefix such as ``refs/heads/``: full name → commit id."""
        return self._commands.refs(prefix)

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Whether `descendant` contains `ancestor` (or is it)."""
        if self.recent(descendant, ancestor) is not None:
            return True
        return self._commands.is_ancestor(ancestor, descendant)

    def merge_base(self, left: str, right: str) -> str | None:
        """The best common ancestor, or None where there is none."""
        if self.recent(right, left, _NEAR) is not None:
            return left
        return self._commands.merge_base(left, right)

    def first_parents(self, head: str, after: str | None = None) -> Iterator[str]:
        """Commit ids from oldest to newest along first parents; `after` itself is left out.

        Raises:
            GitError: the history can't be walked.
        """
        few = None if after is None else self.recent(head, after)
        return self._commands.first_parents(head, after) if few is None else iter(few)

    def last_change(self, path: str, head: str) -> str | None:
        """The newest commit along first parents that changed a path; None where none did.

        Raises:
            GitError: the history can't be walked.
        """
        return self._commands.last_change(path, head)

    # --- writing -------------------------------------------------------------------------

    def write_blob(self, payload: bytes) -> str:
        """Stores a blob; returns its id."""
        return self.write_object(b"blob", payload)

    def write_tree(self, entries: Iterable[TreeEntry]) -> str:
        """Stores a tree object; returns its id.

        Raises:
            GitError: two entries have one name, or a name is none that git takes.
        """
        payload = tree_bytes(entries)
        parse_tree("to be written", payload)
        return self.write_object(b"tree", payload)

    def write_commit(
        self, tree: str, parents: Sequence[str], message: str, author: tuple[str, str]
    ) -> str:
        """Stores a commit; returns its id.

        Args:
            tree: the tree's id.
            parents: the parents' ids, the first parent first.
            message: the whole message.
            author: name and address; also the committer.
        """
        return self.write_object(b"commit", commit_bytes(tree, parents, message, author))

    def write_object(self, kind: bytes, payload: bytes) -> str:
        """Stores an object as it is, well-formed or not; returns its id.

        Raises:
            GitError: `disk`: it can't be written.
        """
        return self._commands.store(kind, payload)

    def set_ref(self, name: str, oid: str, old: str | None = None) -> None:
        """Points a ref at a commit; with `old`, only if it still points there.

        Raises:
            RaceError: it points elsewhere.
        """
        self._commands.set_ref(name, oid, old)

    # --- the network ---------------------------------------------------------------------

    def authorise(self, address: str, header: str) -> None:
        """What is sent with every request to a web address and those below it, by HTTP alone.

        Args:
            address: `https://host/`.
            header: a line such as `Authorization: Basic …`; it is a secret.
        """
        self._commands.authorise(address, header)

    def narrow(self) -> None:
        """From now on histories and trees are fetched, and no file but by `fetch_blobs`."""
        self._narrow = True

    def widen(self) -> None:
        """From now on everything is fetched, and with it, next, all that was left out before."""
        self._narrow, self._again = False, True

    def is_begun(self, *, narrow: bool = False) -> bool:
        """Whether a long history began to come, and a fetch of the same kind goes on with it."""
        return self._commands.is_begun(narrow=narrow)

    def watch(self, tell: Progress) -> None:
        """From now on `tell` is called with how much came of a fetch, of how much."""
        self._tell = tell

    def fetch(self, url: str, refspecs: Sequence[str]) -> None:
        """Fetches refs from another repository; refs that vanished there vanish here.

        Raises:
            GitError: out of reach, or it sent damaged objects.
        """
        fetching = self._commands.fetching(url, self._tell)
        fetching.refs(refspecs, narrow=self._narrow, again=self._again)
        self._again = False

    def fetch_blobs(self, url: str, oids: Sequence[str]) -> None:
        """Fetches files by their ids, all in one request.

        Raises:
            GitError: out of reach, or it does not give them: `no-partial` where it never does.
        """
        self._commands.fetching(url).objects(oids)

    def remote_ref(self, url: str, name: str) -> str | None:
        """The commit at which a ref of another repository stands; nothing is fetched.

        Raises:
            GitError: out of reach.
        """
        return self._commands.remote_ref(url, name)

    def push(self, url: str, updates: Sequence[tuple[str, str, str | None]]) -> None:
        """Pushes refs, all or none.

        Args:
            url: the other repository.
            updates: (commit id or "" to delete, full ref name there, the id that it must have
                there now; None where it must not exist yet).

        Raises:
            RaceError: somebody else moved one of the refs; nothing was changed.
            GitError: refused, or out of reach.
        """
        self._commands.push(url, updates)


def identity_from_environment() -> tuple[str, str]:
    """Name and address for commits: decoration only, since authority lies in signatures."""
    name = os.environ.get("GIT_AUTHOR_NAME") or "mpgit"
    return name, os.environ.get("GIT_AUTHOR_EMAIL") or "mpgit@localhost"


def _is_git_folder(path: Path) -> bool:
    return (path / "HEAD").exists() and all((path / n).is_dir() for n in ("objects", "refs"))
