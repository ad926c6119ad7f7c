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

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Final

import git
from gitdb import LooseObjectDB
from gitdb.base import IStream

from medperf_git.errors import GitError, RaceError
from medperf_git.git_environment import variables
from medperf_git.git_patience import few_processes
from medperf_git.git_url import refuse_url

_ANSWER_SECONDS: Final = 30
_PROMISED: Final = "mpgit-host"
"""A remote that is known while a partial fetch runs: it has promised what it leaves out."""
_NARROW: Final = "blob:none"
_MOST_PACKS: Final = 50
_NO_PARTIAL = re.compile(r"not our ref|unadvertised object|does not allow request")
_DENIED = re.compile(
    r"could not read (Username|Password)|Authentication failed|returned error: 40[13]"
    r"|Permission denied|Permission to \S+ denied"
)
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

    def fetch(
        self, url: str, refspecs: Sequence[str], *, narrow: bool = False, again: bool = False
    ) -> None:
        """Fetches refs from another repository; refs that vanished there vanish here.

        Args:
            url: the other repository.
            refspecs: which refs, and where they go.
            narrow: without files' contents.
            again: also what is reachable from objects that are here already.

        Raises:
            GitError: out of reach, or it sent damaged objects.
        """
        options = ["--prune", *(["--refetch", "--no-filter"] if again else []), "--"]
        source = refuse_url(url)
        if narrow:
            if not self._is_smart(source):
                raise _no_partial(url, "there is no git behind the address, only files")
            self._fetch_promised(source, [*options, _PROMISED, *refspecs])
        else:
            self._fetch(source, [*options, source, *refspecs])
            self._tidy()

    def _is_smart(self, url: str) -> bool:
        """Whether git itself answers at an address, and not only its files lie there.

        Of a web server without git, `git fetch` asks for what was promised by starting itself
        again and again, without end. An address that does not answer is left to the fetch.
        """
        scheme = url.partition("://")[0]
        if scheme not in ("http", "https"):
            return True
        ask = self._git(c=["protocol.version=2"])
        helper = {"http": ask.remote_http, "https": ask.remote_https}[scheme]
        with _lines("stateless-connect git-upload-pack") as question:
            # gitremote-helpers(7); the first line is empty where the connection stands.
            _, said, _ = helper(
                "probe", url, istream=question, with_extended_output=True, with_exceptions=False
            )
        return not str(said).startswith("fallback")

    def fetch_objects(self, url: str, oids: Sequence[str]) -> None:
        """Fetches objects by their ids, all in one request.

        Raises:
            GitError: out of reach, or it does not give them: `no-partial` where it never does.
        """
        with _lines(*oids) as wanted:
            self._fetch_promised(refuse_url(url), ["--stdin", "--", _PROMISED], wanted)

    def _tidy(self) -> None:
        """Puts small packs together, where there are many."""
        if sum(1 for _ in self._packs.glob("*.pack")) > _MOST_PACKS:
            with suppress(git.GitCommandError):  # it may be done another time
                self._git.repack("--geometric=2", "-d", "--quiet")

    def _fetch_promised(
        self, url: str, words: Sequence[str], istream: IO[bytes] | None = None
    ) -> None:
        """Fetches without files' contents, or some of them by their ids."""
        # The promise is said for this one command and never written down: no other git of ours
        # knows of one, so that a missing object is an error there and nothing asks the network.
        promise = (f"url={url}", "promisor=true", f"partialCloneFilter={_NARROW}")
        settings = [f"remote.{_PROMISED}.{each}" for each in promise]
        with few_processes():  # git starts itself for what is missing, and that one again …
            self._fetch(url, [f"--filter={_NARROW}", *words], settings, istream)

    def _fetch(
        self,
        url: str,
        words: Sequence[str],
        more: Sequence[str] = (),
        istream: IO[bytes] | None = None,
    ) -> None:
        settings = ["fetch.fsckObjects=true", "gc.auto=0", "protocol.version=2", *more]
        always = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]
        if istream is not None:
            settings += ["fetch.negotiationAlgorithm=noop"]
        try:
            self._git(c=settings).fetch(*always, *words, istream=istream)
        except git.GitCommandError as error:
            if istream is not None and _NO_PARTIAL.search(str(error.stderr)):
                raise _no_partial(url, _reason(error)) from error
            advice = "everything but fetching and sending works without network"
            raise _failed("can't fetch from", url, error, advice) from error

    def remote_ref(self, url: str, name: str) -> str | None:
        """The commit at which a ref of another repository stands; nothing is fetched.

        Raises:
            GitError: out of reach.
        """
        words = ("--quiet", "--", refuse_url(url), name)
        try:
            said = str(self._git.ls_remote(*words, kill_after_timeout=_ANSWER_SECONDS))
        except git.GitCommandError as error:
            raise _failed("no answer from", url, error) from error
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
            raise _failed("can't push to", url, error, "nothing was lost") from error


@contextmanager
def _lines(*words: str) -> Iterator[IO[bytes]]:
    """A file that nobody else sees, with a line for each word."""
    with tempfile.TemporaryFile() as file:
        file.write("".join(f"{word}\n" for word in words).encode())
        file.seek(0)
        yield file


def _no_partial(url: str, why: str) -> GitError:
    """The error for a server that gives all or nothing."""
    return GitError(
        f"{url} does not give single files: {why}",
        code="no-partial",
        place=url,
        advice="its server has to allow uploadpack.allowFilter and uploadpack.allowAnySHA1InWant "
        "(docs/small-clones.md); or read all of it: `mpgit registry add` without --benchmark",
    )


def _failed(what: str, url: str, error: git.GitCommandError, more: str = "") -> GitError:
    """The error for another repository that does not do what it is asked for."""
    said = str(error.stderr)
    code, advice = "unreachable", "check the address, the network and your access, then try again"
    if _DENIED.search(said):
        code = "denied"
        advice = "you may not, or it does not know you: `mpgit login HOST` (GitHub, GitLab), or "
        advice += "the key or password that git itself uses"
    elif "rejected" in said:
        code, advice = "push-refused", "check your access to the repository, then try again"
    return GitError(
        f"{what} {url}: {_reason(error)}",
        code=code,
        place=url,
        advice=f"{advice}; {more}" if more else advice,
    )


def _reason(error: Exception) -> str:
    """What git itself said, in one line."""
    stderr = str(getattr(error, "stderr", "") or error).strip().removeprefix("stderr: '")
    lines = [line.strip(" '") for line in stderr.splitlines() if line.strip(" '")]
    telling = [line for line in lines if re.match(r"(fatal|error|remote|ssh):|.*rejected", line)]
    return "; ".join((telling or lines)[:4])[:600]
