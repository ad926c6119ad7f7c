r"""Git's own commands, by GitPython: histories, refs, writing, fetching and pushing.

The only importer of GitPython, which takes as long to import as a small command takes in all:
``vcs`` brings it when something is asked that reading objects does not answer. There is never a
checkout. Knows nothing of records.

Example:
    >>> import tempfile
    >>> folder = create(Path(tempfile.mkdtemp()) / "r.git", "main")
    >>> GitCommands(folder).refs("refs/heads/")
    {}
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

import git
from gitdb import LooseObjectDB
from gitdb.base import IStream

from medperf_git.errors import GitError, RaceError
from medperf_git.git.environment import variables
from medperf_git.git.failure import failed, reason
from medperf_git.git.fetch import NARROW, Fetch
from medperf_git.git.slices import begun
from medperf_git.git.transport import Transport
from medperf_git.git.url import refuse_url
from medperf_git.progress import Progress, untold

_ANSWER_SECONDS: Final = 30
# A request can fail for reasons that another try mends; a refused lease is one of them.
_RACE = re.compile(
    r"non-fast-forward|fetch first|stale info|cannot lock ref|incorrect old value"
    r"|failed to update ref"
)


def create(path: Path, branch: str) -> Path:
    """A new bare repository; returns its Git folder.

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
        raise GitError(f"can't create a repository: {_reason(error)}", place=str(path)) from error
    return path


def find(path: Path) -> tuple[Path, Path]:
    """The Git folder of whatever kind of repository stands at a path, and its folder of objects.

    Raises:
        GitError: there is none.
    """
    try:
        with git.Repo(path.absolute(), odbt=git.GitCmdObjectDB, expand_vars=False) as repo:
            return Path(repo.git_dir).absolute(), Path(repo.odb.root_path())
    except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
        raise GitError("not a Git repository", code="no-repository", place=str(path)) from error


class GitCommands:
    """Git's commands on one repository."""

    def __init__(self, folder: Path, objects: Path | None = None) -> None:
        """Runs nothing yet.

        Args:
            folder: the Git folder.
            objects: its folder of objects, where it is not the one below.
        """
        self._folder = folder
        self._git = git.Git(folder)
        self._git.update_environment(**variables(folder))
        self._packs = (objects or folder / "objects") / "pack"
        self._objects = LooseObjectDB(str(self._packs.parent))

    def authorise(self, address: str, header: str) -> None:
        """What is sent with every request to a web address and those below it, by HTTP alone.

        In the environment: neither a list of processes nor an error shows it.

        Args:
            address: `https://host/`.
            header: a line such as `Authorization: Basic …`.
        """
        self._git.update_environment(
            GIT_CONFIG_COUNT="1",
            GIT_CONFIG_KEY_0=f"http.{address}.extraHeader",
            GIT_CONFIG_VALUE_0=header,
            # A wrong token must be an error, not a question at the terminal.
            GIT_TERMINAL_PROMPT="0",
        )

    def refs(self, prefix: str) -> dict[str, str]:
        """All refs below a prefix such as ``refs/heads/``: full name → commit id."""
        text: str = self._git.for_each_ref("--format=%(refname) %(objectname)", prefix.rstrip("/"))
        return dict(line.split(" ") for line in text.splitlines() if line)

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Whether `descendant` contains `ancestor` (or is it)."""
        status, _, _ = self._git.merge_base(
            "--is-ancestor", ancestor, descendant, with_extended_output=True, with_exceptions=False
        )
        return bool(status == 0)

    def merge_base(self, left: str, right: str) -> str | None:
        """The best common ancestor, or None where there is none."""
        _, text, _ = self._git.merge_base(
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
            text: str = self._git.rev_list("--first-parent", "--reverse", *span, "--")
        except git.GitCommandError as error:
            raise GitError(f"can't walk the history: {_reason(error)}") from error
        return iter(text.splitlines())

    def last_change(self, path: str, head: str) -> str | None:
        """The newest commit along first parents that changed a path; None where none did.

        Raises:
            GitError: the history can't be walked.
        """
        try:
            text: str = self._git.rev_list("--first-parent", "-1", head, "--", path)
        except git.GitCommandError as error:
            raise GitError(f"can't walk the history: {_reason(error)}") from error
        return text.strip() or None

    def store(self, kind: bytes, payload: bytes) -> str:
        """Stores an object; returns its id.

        Raises:
            GitError: `disk`: it can't be written.
        """
        try:
            # In this process, for speed; atomic: a temporary file, then a rename.
            stored = self._objects.store(IStream(kind, len(payload), BytesIO(payload)))
        except OSError as error:
            raise GitError(
                f"can't write an object: {error.strerror}",
                code="disk",
                place=str(self._folder),
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
            self._git.update_ref(name, oid, *([] if old is None else [old]))
        except git.GitCommandError as error:
            raise RaceError(
                f"can't move {name}: {_reason(error)}", place=str(self._folder)
            ) from error

    def fetching(self, url: str, tell: Progress = untold) -> Fetch:
        """A way to bring what another repository has.

        Args:
            url: its address.
            tell: called with how much came, of how much.

        Raises:
            GitError: an address that git should not be given.
        """
        # `url.….insteadOf` of the person's own settings, which the plumbing does not look at.
        address = refuse_url(str(self._git.ls_remote("--get-url", "--", refuse_url(url))))
        environment = {**os.environ, **self._git.environment()}
        return Fetch(Transport(self._folder, self._packs, environment, address, tell), url)

    def is_begun(self, *, narrow: bool) -> bool:
        """Whether a long history began to come, and its rest did not."""
        return begun(self._folder, NARROW if narrow else "")

    def remote_ref(self, url: str, name: str) -> str | None:
        """The commit at which a ref of another repository stands; nothing is fetched.

        Raises:
            GitError: out of reach.
        """
        words = ("--quiet", "--", refuse_url(url), name)
        try:
            said = str(self._git.ls_remote(*words, kill_after_timeout=_ANSWER_SECONDS))
        except git.GitCommandError as error:
            raise failed("no answer from", url, str(error.stderr)) from error
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
            self._git.push(
                "--quiet", "--atomic", "--no-verify", *leases, "--", refuse_url(url), *refspecs
            )
        except git.GitCommandError as error:
            if _RACE.search(str(error.stderr)):
                raise RaceError(
                    f"somebody else pushed first: {_reason(error)}", place=url
                ) from error
            raise failed("can't push to", url, str(error.stderr), "nothing was lost") from error


def _reason(error: Exception) -> str:
    """What git itself said, in one line."""
    return reason(str(getattr(error, "stderr", "") or error))
