r"""Git: the only importer of GitPython. Objects, refs, commits, fetch and push.

Reads blobs and trees by id and builds commits from objects; there is never a checkout, so
nothing that a tree brings (attributes, filters, hooks, submodules) is ever acted on. Knows
nothing of records.

Example:
    >>> import tempfile
    >>> repository = Repository.create(Path(tempfile.mkdtemp()) / "r.git")
    >>> blob = repository.write_blob(b"hello\n")
    >>> tree = repository.write_tree([TreeEntry("a.txt", 0o100644, blob)])
    >>> [entry.name for entry in repository.tree_entries(tree)]
    ['a.txt']
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final, Self

import git
from gitdb import LooseObjectDB
from gitdb.base import IStream
from gitdb.exc import ODBError

from medperf_git.errors import GitError, RaceError
from medperf_git.git_objects import (
    EMPTY_TREE,
    Commit,
    TreeEntry,
    commit_bytes,
    object_id,
    parse_commit,
    parse_tree,
    tree_bytes,
)
from medperf_git.git_url import refuse_url

PROTOCOLS: Final = "file:git:http:https:ssh"

# A request can fail for reasons that another try mends; a refused lease is one of them.
_RACE = re.compile(
    r"non-fast-forward|fetch first|stale info|cannot lock ref|incorrect old value"
    r"|failed to update ref"
)
_OBJECT_ID = re.compile(r"[0-9a-f]{40}")


class Repository:
    """One repository on this disk, bare or not; only its objects and refs are used."""

    def __init__(self, repo: git.Repo) -> None:
        self._repo = repo
        self._repo.git.update_environment(
            # Within a hook the environment names another repository.
            GIT_DIR=str(Path(repo.git_dir).absolute()),
            GIT_ALLOW_PROTOCOL=PROTOCOLS,
            # A repository's own notes on what its history "really" is are not believed.
            GIT_NO_REPLACE_OBJECTS="1",
            GIT_GRAFT_FILE=os.devnull,
            GIT_OPTIONAL_LOCKS="0",
            LC_ALL="C.UTF-8",
        )
        self._objects = LooseObjectDB(repo.odb.root_path())
        # Instance-bound: a cache on the method would keep every repository alive.
        self.tree_entries = lru_cache(maxsize=65_536)(self._read_tree)

    # --- opening -------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path, branch: str = "main") -> Repository:
        """A new bare repository.

        Raises:
            GitError: it can't be made there.
        """
        path = path.absolute()
        try:
            path.mkdir(parents=True, exist_ok=True)
            git.Git(path).init(
                "--quiet", "--bare", f"--initial-branch={branch}", env={"GIT_DIR": str(path)}
            )
        except (git.GitCommandError, OSError) as error:
            raise GitError(
                f"can't create a repository: {_reason(error)}", place=str(path)
            ) from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Repository:
        """The repository at `path` (a working folder, a bare repository or a `.git`).

        Raises:
            GitError: there is none.
        """
        try:
            return cls(git.Repo(path.absolute(), odbt=git.GitCmdObjectDB, expand_vars=False))
        except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
            raise GitError("not a Git repository", code="no-repository", place=str(path)) from error

    def close(self) -> None:
        """Ends the helper processes."""
        self._repo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The Git folder."""
        return Path(self._repo.git_dir)

    @property
    def is_shallow(self) -> bool:
        """Whether history was cut off."""
        return (self.path / "shallow").exists()

    # --- reading -------------------------------------------------------------------------

    def resolve(self, revision: str) -> str:
        """The commit that a revision names, in hex.

        Raises:
            GitError: it names none.
        """
        if revision.startswith("-"):
            raise GitError(f"not a revision: {revision!r}", code="no-revision")
        try:
            text: str = self._repo.git.rev_parse("--verify", "--quiet", revision + "^{commit}")
        except git.GitCommandError as error:
            raise GitError(
                f"no such commit: {revision!r}", code="no-revision", place=str(self.path)
            ) from error
        return text.strip()

    def find(self, revision: str) -> str | None:
        """As `resolve`, or None where the revision names no commit."""
        try:
            return self.resolve(revision)
        except GitError:
            return None

    def commit(self, oid: str) -> Commit:
        """The commit with this id.

        Raises:
            GitError: there is none.
        """
        return parse_commit(oid, self._read(oid, b"commit"))

    def _read(self, oid: str, kind: bytes) -> bytes:
        found, payload = self._loose(oid) or self._packed(oid)
        if found != kind:
            raise GitError(f"{oid} is a {found.decode('ascii', 'replace')}", code="no-object")
        if object_id(kind, payload) != oid:
            raise self._damaged(oid)
        return payload

    def _damaged(self, oid: str) -> GitError:
        return GitError(
            f"the object {oid} is missing or damaged", code="no-object", place=str(self.path)
        )

    def _loose(self, oid: str, *, head_only: bool = False) -> tuple[bytes, bytes] | None:
        """Type and bytes (or, of the head alone, the size) of an object that is no part of a pack.

        Read here, since git's own helper waits for ever in the middle of a damaged one.
        """
        if not _OBJECT_ID.fullmatch(oid):
            raise self._damaged(oid)
        try:
            with (Path(self._objects.root_path()) / oid[:2] / oid[2:]).open("rb") as file:
                inflate = zlib.decompressobj()
                head, mark, payload = inflate.decompress(file.read(1024), 64).partition(b"\0")
                kind, _, size = head.partition(b" ")
                if head_only:
                    return kind, b"%d" % int(size)
                left = int(size) - len(payload)
                payload += inflate.decompress(inflate.unconsumed_tail + file.read(), left + 1)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, zlib.error) as error:
            raise self._damaged(oid) from error
        if not mark or len(payload) != int(size):
            raise self._damaged(oid)
        return kind, payload

    def _packed(self, oid: str) -> tuple[bytes, bytes]:
        try:
            stream = self._repo.odb.stream(bytes.fromhex(oid))
            return _bytes(stream.type), stream.read()
        except (ODBError, ValueError, OSError) as error:
            self._repo.git.clear_cache()  # a helper that met a damaged object has died
            raise self._damaged(oid) from error

    def _read_tree(self, oid: str) -> tuple[TreeEntry, ...]:
        return () if oid == EMPTY_TREE else parse_tree(oid, self._read(oid, b"tree"))

    def blob(self, oid: str) -> bytes:
        """A blob's bytes.

        Raises:
            GitError: there is no such blob.
        """
        return self._read(oid, b"blob")

    def blob_size(self, oid: str) -> int:
        """A blob's size in bytes, without reading it.

        Raises:
            GitError: there is no such blob.
        """
        kind, size = self._loose(oid, head_only=True) or self._packed_info(oid)
        if kind != b"blob":
            raise GitError(f"{oid} is a {kind.decode('ascii', 'replace')}", code="no-object")
        return int(size)

    def _packed_info(self, oid: str) -> tuple[bytes, bytes]:
        try:
            info = self._repo.odb.info(bytes.fromhex(oid))
        except (ODBError, ValueError, OSError) as error:
            self._repo.git.clear_cache()
            raise self._damaged(oid) from error
        return _bytes(info.type), b"%d" % info.size

    def refs(self, prefix: str) -> dict[str, str]:
        """All refs below a prefix such as ``refs/heads/``: full name → commit id."""
        text: str = self._repo.git.for_each_ref(
            "--format=%(refname) %(objectname)", prefix.rstrip("/")
        )
        return dict(line.split(" ") for line in text.splitlines() if line)

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Whether `descendant` contains `ancestor` (or is it)."""
        status, _, _ = self._repo.git.merge_base(
            "--is-ancestor", ancestor, descendant, with_extended_output=True, with_exceptions=False
        )
        return bool(status == 0)

    def merge_base(self, left: str, right: str) -> str | None:
        """The best common ancestor, or None where there is none."""
        _, text, _ = self._repo.git.merge_base(
            left, right, with_extended_output=True, with_exceptions=False
        )
        return text.split("\n")[0] or None

    def first_parents(self, head: str, after: str | None = None) -> Iterator[str]:
        """Commit ids from oldest to newest along first parents; `after` itself is left out.

        Raises:
            GitError: the history can't be walked.
        """
        span = [head] if after is None else [head, f"^{after}"]
        try:
            text: str = self._repo.git.rev_list("--first-parent", "--reverse", *span, "--")
        except git.GitCommandError as error:
            raise GitError(f"can't walk the history: {_reason(error)}") from error
        return iter(text.splitlines())

    def last_change(self, path: str, head: str) -> str | None:
        """The newest commit along first parents that changed a path; None where none did.

        Raises:
            GitError: the history can't be walked.
        """
        try:
            text: str = self._repo.git.rev_list("--first-parent", "-1", head, "--", path)
        except git.GitCommandError as error:
            raise GitError(f"can't walk the history: {_reason(error)}") from error
        return text.strip() or None

    # --- writing -------------------------------------------------------------------------

    def write_blob(self, payload: bytes) -> str:
        """Stores a blob; returns its id."""
        return self._store(b"blob", payload)

    def write_tree(self, entries: Iterable[TreeEntry]) -> str:
        """Stores a tree object; returns its id.

        Raises:
            GitError: two entries have one name, or a name is none that git takes.
        """
        payload = tree_bytes(entries)
        parse_tree("to be written", payload)
        return self._store(b"tree", payload)

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
        return self._store(b"commit", commit_bytes(tree, parents, message, author))

    def _store(self, kind: bytes, payload: bytes) -> str:
        try:
            # In this process, for speed; atomic: a temporary file, then a rename.
            stored = self._objects.store(IStream(kind, len(payload), BytesIO(payload)))
        except OSError as error:
            raise GitError(
                f"can't write an object: {error.strerror}",
                code="disk",
                place=str(self.path),
                advice="free some disk space or mend the permissions, then try again",
            ) from error
        oid: str = stored.binsha.hex()
        return oid

    def set_ref(self, name: str, oid: str, old: str | None = None) -> None:
        """Points a ref at a commit; with `old`, only if it still points there.

        Raises:
            RaceError: it points elsewhere.
        """
        try:
            self._repo.git.update_ref(name, oid, *([] if old is None else [old]))
        except git.GitCommandError as error:
            raise RaceError(f"can't move {name}: {_reason(error)}", place=str(self.path)) from error

    # --- the network ---------------------------------------------------------------------

    def fetch(self, url: str, refspecs: Sequence[str]) -> None:
        """Fetches refs from another repository; refs that vanished there vanish here.

        Raises:
            GitError: out of reach, or it sent damaged objects.
        """
        command = [
            *("--quiet", "--prune", "--no-tags", "--no-recurse-submodules"),
            *("--no-write-fetch-head", "--", refuse_url(url), *refspecs),
        ]
        try:
            self._repo.git(c=["fetch.fsckObjects=true", "gc.auto=0"]).fetch(*command)
        except git.GitCommandError as error:
            raise GitError(
                f"can't fetch from {url}: {_reason(error)}",
                code="unreachable",
                place=url,
                advice="check the address, the network and your access, then try again; "
                "everything but fetching and sending works without network",
            ) from error
        self.tree_entries.cache_clear()

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
        leases = [f"--force-with-lease={name}:{old or ''}" for _, name, old in updates]
        refspecs = [f"{oid}:{name}" for oid, name, _ in updates]
        try:
            self._repo.git.push(
                "--quiet", "--atomic", "--no-verify", *leases, "--", refuse_url(url), *refspecs
            )
        except git.GitCommandError as error:
            reason = _reason(error)
            if _RACE.search(str(error.stderr)):
                raise RaceError(f"somebody else pushed first: {reason}", place=url) from error
            raise GitError(
                f"can't push to {url}: {reason}",
                code="push-refused" if "rejected" in str(error.stderr) else "unreachable",
                place=url,
                advice="check your access to the repository, then try again; nothing was lost",
            ) from error


def identity_from_environment() -> tuple[str, str]:
    """Name and address for commits: decoration only, since authority lies in signatures."""
    name = os.environ.get("GIT_AUTHOR_NAME") or "mpgit"
    return name, os.environ.get("GIT_AUTHOR_EMAIL") or "mpgit@localhost"


def _bytes(word: str | bytes) -> bytes:
    return word.encode() if isinstance(word, str) else word


def _reason(error: Exception) -> str:
    """What git itself said, in one line."""
    stderr = str(getattr(error, "stderr", "") or error).strip().removeprefix("stderr: '")
    lines = [line.strip(" '") for line in stderr.splitlines() if line.strip(" '")]
    telling = [line for line in lines if re.match(r"(fatal|error|remote|ssh):|.*rejected", line)]
    return "; ".join((telling or lines)[:4])[:600]
