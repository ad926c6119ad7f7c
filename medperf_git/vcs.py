r"""Git: the only importer of GitPython. Objects, refs, commits, fetch and push.

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
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Final, Self

import git
from gitdb import LooseObjectDB
from gitdb.base import IStream

from medperf_git.errors import GitError, RaceError
from medperf_git.git_ahead import MOST_BYTES
from medperf_git.git_objects import (
    Commit,
    TreeEntry,
    commit_bytes,
    parse_commit,
    parse_tree,
    tree_bytes,
)
from medperf_git.git_reader import ObjectReader, end
from medperf_git.git_url import refuse_url

PROTOCOLS: Final = "file:git:http:https:ssh"

_ANSWER_SECONDS: Final = 30
# A request can fail for reasons that another try mends; a refused lease is one of them.
_RACE = re.compile(
    r"non-fast-forward|fetch first|stale info|cannot lock ref|incorrect old value"
    r"|failed to update ref"
)


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
        cat_file = partial(repo.git.cat_file, istream=subprocess.PIPE, as_process=True)
        self._reader = ObjectReader(
            self.path, Path(repo.odb.root_path()), lambda option: _started(cat_file(option))
        )

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
        self._reader.close()
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
        return parse_commit(oid, self._reader.read(oid, b"commit"))

    def folder(self, oid: str) -> Mapping[str, TreeEntry]:
        """A tree object's entries by name, in git's order.

        Raises:
            GitError: there is no such tree, or it is malformed.
        """
        return self._reader.folder(oid)

    def blob(self, oid: str) -> bytes:
        """A blob's bytes.

        Raises:
            GitError: there is no such blob.
        """
        return self._reader.blob(oid)

    def blob_size(self, oid: str) -> int:
        """A blob's size in bytes, without reading it.

        Raises:
            GitError: there is no such blob.
        """
        return self._reader.blob_size(oid)

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

    @contextmanager
    def reading_ahead(self, head: str, after: str | None = None) -> Iterator[None]:
        """Meanwhile git hands out the objects of a history before they are asked for.

        Only speeds up what asks for the commits of `first_parents` in their order.
        """
        span = [head] if after is None else [head, f"^{after}"]
        order = ("--first-parent", "--reverse", "--objects", "--in-commit-order")
        few = ("--no-object-names", f"--filter=blob:limit={MOST_BYTES}")
        listing = _started(self._repo.git.rev_list(*order, *few, *span, "--", as_process=True))
        sending = _started(
            self._repo.git.cat_file("--batch", "--buffer", istream=listing.stdout, as_process=True)
        )
        assert sending.stdout is not None  # noqa: S101 (a pipe)
        try:
            with self._reader.reading_ahead(sending.stdout):
                yield
        finally:
            end(sending)
            end(listing)

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

    def remote_ref(self, url: str, name: str) -> str | None:
        """The commit at which a ref of another repository stands; nothing is fetched.

        Raises:
            GitError: out of reach.
        """
        words = ("--quiet", "--", refuse_url(url), name)
        try:
            said = str(self._repo.git.ls_remote(*words, kill_after_timeout=_ANSWER_SECONDS))
        except git.GitCommandError as error:
            raise GitError(
                f"no answer from {url}: {_reason(error)}",
                code="unreachable",
                place=url,
                advice="check the address, the network and your access",
            ) from error
        found = (line.split("\t") for line in said.splitlines())
        return next((words[0] for words in found if words[1:] == [name]), None)

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


def _started(process: git.Git.AutoInterrupt) -> subprocess.Popen[bytes]:
    """The process itself: who asked for it ends it, not a collector of garbage."""
    started, process.proc = process.proc, None
    assert started is not None  # noqa: S101 (it was just started)
    return started


def _reason(error: Exception) -> str:
    """What git itself said, in one line."""
    stderr = str(getattr(error, "stderr", "") or error).strip().removeprefix("stderr: '")
    lines = [line.strip(" '") for line in stderr.splitlines() if line.strip(" '")]
    telling = [line for line in lines if re.match(r"(fatal|error|remote|ssh):|.*rejected", line)]
    return "; ".join((telling or lines)[:4])[:600]
