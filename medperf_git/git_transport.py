"""Brings objects from another repository by git's plumbing: ``fetch-pack``, or its web helper.

Unlike ``git fetch`` the plumbing does not walk through the whole tree of what it got, to see that
all is there: that costs as much as the registry is large. Instead each object that comes must find
what it names, here or in the same pack (``index-pack --strict``), which costs as much as what
comes. Moves no ref. The protocols: git-fetch-pack(1), gitremote-helpers(7).

Example:
    >>> wanted_by(["+refs/heads/*:refs/remotes/origin/*"], {"refs/heads/main": "a", "refs/x": "b"})
    {'refs/remotes/origin/main': ('refs/heads/main', 'a')}
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medperf_git.errors import GitError

_SETTINGS: Final = ("-c", "fetch.fsckObjects=true", "-c", "gc.auto=0")
_BY_ID: Final = ("-c", "fetch.negotiationAlgorithm=noop")
"""Whoever asks for single objects tells nothing of what is here: much of that may be incomplete."""
_OLD: Final = ("-c", "protocol.version=0")
"""The web helper, asked like this, does not speak a newer version."""
_WEB: Final = ("http", "https")
_LOCK: Final = "lock "


class TransportError(Exception):
    """Git said no.

    Attributes:
        stderr: what it said.
    """

    def __init__(self, stderr: str) -> None:
        super().__init__(stderr)
        self.stderr = stderr


@dataclass(frozen=True)
class Transport:
    """The way to one other repository.

    Attributes:
        folder: the Git folder that objects come to.
        environment: the variables that git runs with.
        url: the other repository.
    """

    folder: Path
    environment: Mapping[str, str]
    url: str

    def bring(self, wanted: Mapping[str, str], *, chosen: str = "", again: bool = False) -> None:
        """Brings what is wanted and all that it needs.

        Args:
            wanted: names of refs there, or ids of objects, each with its id.
            chosen: a filter; what it leaves out is missing then.
            again: also what is here already.

        Raises:
            TransportError: what git said.
        """
        by_id = _BY_ID if any(name == oid for name, oid in wanted.items()) else ()
        scheme = self.url.partition("://")[0]
        if scheme in _WEB:
            asked = ["option progress false"]
            asked += [f"option filter {chosen}", "option from-promisor true"] if chosen else []
            asked += ["option refetch true"] if again else []
            asked += [f"fetch {oid} {name}" for name, oid in wanted.items()]
            self._run([*by_id, *_OLD, f"remote-{scheme}", "host", self.url], [*asked, "", ""])
        else:
            # Without `--lock-pack` git 2.39 dies of `fetch.fsckObjects`, after all is done.
            words = ["fetch-pack", "--quiet", "--no-progress", "--lock-pack", "--stdin"]
            words += [f"--filter={chosen}", "--from-promisor"] if chosen else []
            words += ["--refetch"] if again else []
            self._run([*by_id, *words, self.url], list(wanted))

    def _run(self, words: Sequence[str], lines: Sequence[str]) -> None:
        with tempfile.TemporaryFile() as given:
            given.write("".join(f"{line}\n" for line in lines).encode())
            given.seek(0)
            done = subprocess.run(
                ["git", *_SETTINGS, *words],
                stdin=given,
                capture_output=True,
                cwd=self.folder,
                env=dict(self.environment),
                check=False,
            )
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            if line.startswith(_LOCK):
                Path(line.removeprefix(_LOCK)).unlink(missing_ok=True)
        if done.returncode:
            raise TransportError(done.stderr.decode("utf-8", "replace"))


def wanted_by(refspecs: Sequence[str], there: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Where refs of another repository go here: our name, its name and its id.

    Raises:
        GitError: a refspec that is none of ours.
    """
    found: dict[str, tuple[str, str]] = {}
    for refspec in refspecs:
        source, colon, target = refspec.removeprefix("+").partition(":")
        if not colon or source.count("*") != target.count("*") or source.count("*") > 1:
            raise GitError(f"not a refspec: {refspec!r}")
        before, star, after = source.partition("*")
        for name, oid in there.items():
            if not star and name == source:
                found[target] = name, oid
            elif star and name.startswith(before) and name.endswith(after):
                part = name[len(before) : len(name) - len(after) if after else None]
                found[target.replace("*", part)] = name, oid
    return found
