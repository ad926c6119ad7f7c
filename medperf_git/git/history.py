r"""What stands in a Git repository, and how it came there; read only.

Objects by their ids, and histories along first parents as git streams them. Nothing here writes,
moves a ref or asks the network: ``vcs`` does. Knows nothing of records.

Example:
    >>> History(Path("/srv/r.git"), Path("/srv/r.git/objects")).path
    PosixPath('/srv/r.git')
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from medperf_git.errors import GitError
from medperf_git.git.environment import variables
from medperf_git.git.objects import Commit, TreeEntry, parse_commit
from medperf_git.git.patience import SILENT_SECONDS, Patience
from medperf_git.git.reader import ObjectReader, end
from medperf_git.git.stream import LOG, Landing, ask_for_all, landings, payloads

_FRUGAL: Final = ("-c", "core.packedGitWindowSize=1m", "-c", "core.packedGitLimit=32m")
"""How much of a pack git maps at a time: else its memory grows to the pack's size."""
_FEW: Final = 1000
"""Commits that are read one by one."""


class History:
    """The objects and histories of one repository."""

    patience = SILENT_SECONDS
    """How long git may think about one commit's changes."""

    def __init__(self, folder: Path, objects: Path) -> None:
        """Starts nothing yet; `open` and `create` look whether it is there."""
        self._folder = folder.absolute()
        self._objects = objects
        self._reader = ObjectReader(self._folder, objects, self._cat_file)
        self._narrow = False

    def _cat_file(self, option: str) -> subprocess.Popen[bytes]:
        return self._piped("cat-file", option)

    def _piped(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["git", *_FRUGAL, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            # Reading never asks the network, not even in a partial clone that git itself made.
            env={**os.environ, **variables(self._folder), "GIT_ALLOW_PROTOCOL": "none"},
        )

    def close(self) -> None:
        """Ends the helper processes."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The Git folder."""
        return self._folder

    @property
    def is_shallow(self) -> bool:
        """Whether history was cut off."""
        return (self.path / "shallow").exists()

    # --- objects -------------------------------------------------------------------------

    def resolve(self, revision: str) -> str:
        """The commit that a revision names, in hex.

        Raises:
            GitError: it names none.
        """
        oid = self._reader.resolve(revision + "^{commit}")
        if oid is None:
            raise GitError(
                f"no such commit: {revision!r}", code="no-revision", place=str(self.path)
            )
        return oid

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
        try:
            return self._reader.blob(oid)
        except GitError as error:
            raise self._explained(oid, error) from error

    def blob_size(self, oid: str) -> int:
        """A blob's size in bytes, without reading it.

        Raises:
            GitError: there is no such blob.
        """
        try:
            return self._reader.blob_size(oid)
        except GitError as error:
            raise self._explained(oid, error) from error

    def lacking(self, oids: Sequence[str]) -> list[str]:
        """Those of the objects that are not here; git is asked once for all of them.

        Raises:
            GitError: git did not answer.
        """
        process = self._piped("cat-file", "--batch-check", "--buffer")
        said, _ = process.communicate("".join(f"{oid}\n" for oid in oids).encode())
        lines = said.decode("ascii", "replace").splitlines()
        if len(lines) != len(oids):
            raise GitError("git does not say which objects are here", place=str(self.path))
        return [oid for oid, line in zip(oids, lines, strict=True) if line.endswith(" missing")]

    def _explained(self, oid: str, error: GitError) -> GitError:
        """Why a file can't be read: in a narrow repository most were never fetched."""
        if not self._narrow or not self.lacking([oid]):
            return error
        return GitError(
            f"the file {oid} was not fetched: this client reads a part of the registry",
            code="not-fetched",
            place=str(self.path),
            advice="mpgit registry widen --benchmark OWNER/NAME, or --all",
        )

    # --- histories -----------------------------------------------------------------------

    @contextmanager
    def reading_ahead(self, head: str, after: str | None = None) -> Iterator[None]:
        """Meanwhile git hands out the objects of a history before they are asked for.

        Only speeds up what asks for the commits of `first_parents` in their order. Git compares
        each commit with its parent, so that time and memory follow what the commits brought.
        """
        span = [head] if after is None else self._span(head, after, named=True)
        log = self._piped(*LOG, "-t", *span, "--")
        objects = self._piped("cat-file", "--batch", "--buffer")
        assert log.stdout and objects.stdin and objects.stdout  # noqa: S101, PT018 (pipes)
        asking = threading.Thread(target=ask_for_all, args=(log.stdout, objects.stdin), daemon=True)
        asking.start()
        try:
            with self._reader.reading_ahead(objects.stdout):
                yield
        finally:
            log.kill()
            objects.kill()
            asking.join()
            end(objects)
            end(log)

    def landed(
        self, head: str, after: str | None = None, below: Sequence[str] = ()
    ) -> Iterator[Landing]:
        """What each commit along first parents changed, oldest first; `after` is left out.

        One stream of git's own: what a whole history brought, without reading its trees here.

        Args:
            head: the newest commit.
            after: the last commit before.
            below: only commits that changed something below these folders, and only that.

        Raises:
            GitError: the history can't be walked.
        """
        span = [head] if after is None else self._span(head, after, named=not below)
        process = self._piped(*LOG, "--full-history", *span, "--", *below)
        assert process.stdout is not None  # noqa: S101 (a pipe)
        try:
            with Patience(process, self.patience) as patience:
                found = landings(process.stdout)
                while True:
                    with patience.waiting():
                        landing = next(found, None)
                    if landing is None:
                        break
                    yield landing
            if process.wait():
                raise GitError("the history can't be walked", place=str(self.path))
        finally:
            end(process)

    def _span(self, head: str, after: str, *, named: bool) -> list[str]:
        """The commits after one, in words for git; a commit that is named is always shown."""
        few = self.recent(head, after) if named else None
        return ["--no-walk=unsorted", *reversed(few)] if few else [f"{after}..{head}"]

    def recent(self, head: str, after: str, most: int | None = None) -> list[str] | None:
        """The commits after one, along first parents, oldest first; None where it is far off.

        Asked for a range, git goes by the commits' clocks: where one ran ahead, it may read the
        whole history to find the one commit that is new.
        """
        most = _FEW if most is None else most
        found, oid = [], head
        while oid != after:
            found.append(oid)
            parents = self.commit(oid).parents
            if not parents or len(found) > most:
                return None
            oid = parents[0]
        return found[::-1]

    def blobs(self, oids: Sequence[str]) -> Iterator[bytes]:
        """The bytes of many blobs, in order, as one stream; nothing of it is remembered.

        Raises:
            GitError: one is missing or damaged.
        """
        process = self._piped("cat-file", "--batch", "--buffer")
        try:
            yield from payloads(process, oids)
        finally:
            end(process)

    def saying(self, words: str, head: str) -> list[str]:
        """The commits along first parents in whose message certain words stand, oldest first.

        Git looks through the messages; whoever asks looks where in them the words stand.

        Raises:
            GitError: the history can't be walked.
        """
        order = ("--first-parent", "--reverse", "--format=%H", "--fixed-strings")
        process = self._piped("log", *order, f"--grep={words}", head, "--")
        said, _ = process.communicate()
        if process.returncode:
            raise GitError("the history can't be walked", place=str(self.path))
        return said.decode("ascii").split()
