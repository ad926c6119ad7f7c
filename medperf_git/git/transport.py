"""Brings objects from another repository by git's plumbing: ``fetch-pack``, or its web helper.

Unlike ``git fetch`` the plumbing does not walk through the whole tree of what it got, to see that
all is there: that costs as much as the registry is large. Instead each object that comes must find
what it names, here or in the same pack (``index-pack --strict``), which costs as much as what
comes. All comes or nothing; moves no ref. The protocols: git-fetch-pack(1), gitremote-helpers(7).

Example::

    Transport(folder, packs, environment, "https://x.org/r").bring({"refs/heads/main": oid})
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from medperf_git.git.progress import NONE, Limit, watched, without_progress
from medperf_git.git.relay import HostRefusedError, let_go, listed, pipes, relay
from medperf_git.progress import Progress, untold

_SETTINGS: Final = ("-c", "fetch.fsckObjects=true", "-c", "gc.auto=0")
_BY_ID: Final = ("-c", "fetch.negotiationAlgorithm=noop")
"""Whoever asks for single objects tells nothing of what is here: much of that may be incomplete."""
_NEW: Final = ("-c", "protocol.version=2")
_OLD: Final = ("-c", "protocol.version=0")
_PACK: Final = ("fetch-pack", "--lock-pack", "--stdin")
"""Without `--lock-pack` git 2.39 dies of `fetch.fsckObjects`, after all is done."""
_WEB: Final = ("http", "https")
_LOCK: Final = "lock "
_BEGUN: Final = "tmp_*"
_BUNDLE = re.compile(rb"# v[0-9]+ git bundle\n")
_BUNDLE_BEGINS: Final = 32
_HEADS: Final = "refs/heads/"
_NONE: Final = subprocess.DEVNULL
_SOME: Final = (_HEADS,)
"""What is listed where ids are asked for: ``fetch-pack`` takes an empty list for a failure."""


class TransportError(Exception):
    """Git said no.

    Attributes:
        stderr: what it said.
    """

    def __init__(self, stderr: str) -> None:
        super().__init__(stderr)
        self.stderr = stderr


class FilesOnlyError(TransportError):
    """There is no git behind a web address, or one of before 2018, which gives all or nothing."""


@dataclass(frozen=True)
class _Order:
    """What a ``fetch-pack`` is started with: its words, what is wanted, and as in `bring`."""

    words: Sequence[str]
    wanted: Mapping[str, str]
    limit: Limit
    part: bool


@dataclass(frozen=True)
class Transport:
    """The way to one other repository.

    Attributes:
        folder: the Git folder that objects come to.
        packs: its folder of packs.
        environment: the variables that git runs with.
        url: the other repository; as the person's own settings of git rewrite it.
        tell: called with how many objects came, of how many.
    """

    folder: Path
    packs: Path
    environment: Mapping[str, str]
    url: str
    tell: Progress = untold

    def listed(self, patterns: Sequence[str]) -> dict[str, str]:
        """The other repository's refs: full name → id.

        Args:
            patterns: which: full names, or beginnings and ends around a `*`; more may be listed.

        Raises:
            TransportError: what git said.
        """
        with ExitStack() as stack:
            said = stack.enter_context(tempfile.TemporaryFile())
            helper = self._service(stack, said) if self._scheme in _WEB else None
            if helper is not None:
                try:
                    found = listed(helper, [pattern.partition("*")[0] for pattern in patterns])
                except HostRefusedError as error:
                    raise TransportError(f"remote: {error}") from error
                if found is None:
                    _judge(1, said)
                return found or {}
            heads = ["--heads"] if all(name.startswith(_HEADS) for name in patterns) else []
            words = [*_NEW, "ls-remote", "--quiet", *heads, "--", self.url, *patterns]
            process = stack.enter_context(self._running(words, _NONE, subprocess.PIPE, said))
            printed, _ = process.communicate()
            _judge(process.returncode, said)
        lines = (line.split("\t") for line in printed.decode("utf-8", "replace").splitlines())
        return {words[1]: words[0] for words in lines if words[1:]}

    def bring(
        self,
        wanted: Mapping[str, str],
        *,
        chosen: str = "",
        again: bool = False,
        limit: Limit = NONE,
        part: bool = False,
    ) -> None:
        """Brings what is wanted and all that it needs.

        Args:
            wanted: names of refs there, or ids of objects, each with its id.
            chosen: a filter; what it leaves out is missing then.
            again: also what is here already.
            limit: when it is stopped.
            part: it is a part of a history whose beginning is here; its pack stays by itself.

        Raises:
            TransportError: what git said.
            StoppedError: the limit was met; nothing came.
        """
        by_id = any(name == oid for name, oid in wanted.items())
        words = [*(_BY_ID if by_id and not part else ()), *_PACK]
        words += [f"--filter={chosen}", "--from-promisor"] if chosen else []
        words += ["--refetch"] if again else []
        if self._is_bundle:
            if chosen:
                raise FilesOnlyError("it is a bundle, which holds everything")
            self._unbundle(wanted)
        elif self._scheme not in _WEB:
            self._pack(_Order(words, wanted, limit, part))
        elif not self._relayed(
            _Order(words, wanted, limit, part), _SOME if by_id else tuple(wanted)
        ):
            if chosen:
                raise FilesOnlyError("there is no git behind the address, only files")
            self._old_web(wanted, again=again)

    @property
    def _scheme(self) -> str:
        return self.url.partition("://")[0]

    @property
    def _is_bundle(self) -> bool:
        """Whether it is a history in a file (gitformat-bundle(5)), such as an archive keeps."""
        with suppress(OSError), Path(self.folder, self.url).open("rb") as file:
            return bool(_BUNDLE.match(file.read(_BUNDLE_BEGINS)))
        return False

    def _unbundle(self, wanted: Mapping[str, str]) -> None:
        """From a file that is read whole in any case: as `git fetch` does it."""
        words = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"]
        words += ["--no-write-fetch-head", "--", self.url, *wanted]
        with tempfile.TemporaryFile() as said:
            with self._running(words, _NONE, _NONE, said) as process:
                status = process.wait()
            _judge(status, said)

    def _pack(self, order: _Order) -> None:
        """By a path or SSH."""
        with ExitStack() as stack:
            said = stack.enter_context(tempfile.TemporaryFile())
            stack.enter_context(_whole(self.packs))
            given = stack.enter_context(_lines(order.wanted))
            command = [*order.words, self.url]
            process = stack.enter_context(self._running(command, given, said, said))
            stack.callback(let_go, self.packs, process.pid, keep=order.part)
            with watched(process, said, order.limit, self.tell):
                status = process.wait()
            _judge(status, said)

    def _relayed(self, order: _Order, prefixes: Sequence[str]) -> bool:
        """By the web; False where the server does not speak protocol version 2."""
        with ExitStack() as stack:
            said = stack.enter_context(tempfile.TemporaryFile())
            helper = self._service(stack, said)
            if helper is None:
                return False
            stack.enter_context(_whole(self.packs))
            command, pipe = [*_NEW, *order.words, "--stateless-rpc", self.url], subprocess.PIPE
            packer = stack.enter_context(self._running(command, pipe, pipe, said))
            stack.callback(let_go, self.packs, packer.pid, keep=order.part)
            with watched(packer, said, order.limit, self.tell):
                status = relay(helper, packer, order.wanted, prefixes)
            _judge(status, said)
            return True

    def _service(self, stack: ExitStack, said: IO[bytes]) -> subprocess.Popen[bytes] | None:
        """Git's web helper, connected; None where the server does not speak version 2."""
        command, pipe = [*_NEW, f"remote-{self._scheme}", "host", self.url], subprocess.PIPE
        helper = stack.enter_context(self._running(command, pipe, pipe, said))
        ask, answers = pipes(helper)
        with suppress(BrokenPipeError):
            ask.write(b"stateless-connect git-upload-pack\n")
            ask.flush()
        answer = answers.readline()
        if answer == b"\n":
            return helper
        with suppress(BrokenPipeError):
            ask.close()
        _judge(0 if answer == b"fallback\n" else helper.wait() or 1, said)
        return None

    def _old_web(self, wanted: Mapping[str, str], *, again: bool) -> None:
        """From a web server that only has files, or a git of before version 2."""
        asked = ["option progress false", *(["option refetch true"] if again else [])]
        asked += [f"fetch {oid} {name}" for name, oid in wanted.items()]
        with ExitStack() as stack:
            said = stack.enter_context(tempfile.TemporaryFile())
            given = stack.enter_context(_lines([*asked, "", ""]))
            command = [*_OLD, f"remote-{self._scheme}", "host", self.url]
            process = stack.enter_context(self._running(command, given, subprocess.PIPE, said))
            printed, _ = process.communicate()
            for line in printed.decode("utf-8", "replace").splitlines():
                if line.startswith(_LOCK):
                    Path(line.removeprefix(_LOCK)).unlink(missing_ok=True)
            _judge(process.returncode, said)

    @contextmanager
    def _running(
        self,
        words: Sequence[str],
        stdin: IO[bytes] | int,
        stdout: IO[bytes] | int,
        stderr: IO[bytes],
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A git that ends with the block."""
        process = subprocess.Popen(
            ["git", *_SETTINGS, *words],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=self.folder,
            env=dict(self.environment),
        )
        try:
            yield process
        finally:
            process.terminate()
            with suppress(OSError), process:  # closes its pipes and waits for it
                pass


@contextmanager
def _whole(packs: Path) -> Iterator[None]:
    """Where the block fails, nothing stays of packs that had begun; git would leave it there."""
    before = set(packs.glob(_BEGUN))
    try:
        yield
    except BaseException:
        for path in set(packs.glob(_BEGUN)) - before:
            path.unlink(missing_ok=True)
        raise


def _lines(words: Sequence[str] | Mapping[str, str]) -> IO[bytes]:
    """A file that nobody else sees, with a line for each word."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (who asked closes it)
    file.write("".join(f"{word}\n" for word in words).encode())
    file.seek(0)
    return file


def _judge(status: int, said: IO[bytes]) -> None:
    if status:
        said.seek(0)
        raise TransportError(without_progress(said.read().decode("utf-8", "replace")))
