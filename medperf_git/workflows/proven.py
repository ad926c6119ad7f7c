"""What was found good before: how far the audits of a registry got on this machine.

A commit names, by its id, every commit and blob before it; so one id says what is proven. It is
believed only where this client wrote it (`sealed`), about this registry, with these rules:
`rule_set` is a digest of the code that judges. Anything else (damaged, changed by hand, copied from
elsewhere, left by another version) counts for nothing, and all is read again.

Example:
    >>> len(rule_set()), rule_set() == rule_set()
    (64, True)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import cryptography
import pydantic

from medperf_git.store.home import Home
from medperf_git.version import __version__
from medperf_git.workflows.sealed import seal, unseal

TOP: Final = Path(__file__).resolve().parent.parent
"""The package's own code."""
_EVERY_SECONDS: Final = 5
_JUDGING: Final = ("canonical", "git", "records", "schemas", "store", "trust", "checks")
"""The packages whose code, or text, decides a verdict; besides them the modules at the top."""
_READING: Final = "audit*.py"
"""What leads through a history, among the workflows."""


@dataclass(frozen=True)
class Remembered:
    """How far earlier audits got.

    Attributes:
        head: the last commit that was audited; "" for none.
        commits: how many commits up to it.
        records: how many records they added.
    """

    head: str = ""
    commits: int = 0
    records: int = 0

    def with_more(self, head: str, commits: int, records: int) -> Remembered:
        """This, and so many commits and records after it, up to a commit."""
        return Remembered(head, self.commits + commits, self.records + records)


@cache
def rule_set() -> str:
    """A digest of everything here that decides a verdict: our code, schemas, two libraries."""
    files = [*TOP.glob("*.py"), *(TOP / "workflows").glob(_READING)]
    files += [file for name in _JUDGING for file in (TOP / name).glob("*.*")]
    digest = sha256(f"{__version__} {pydantic.VERSION} {cryptography.__version__}".encode())
    for file in sorted(files):
        digest.update(f"\n{file.relative_to(TOP)} ".encode())
        digest.update(sha256(file.read_bytes()).digest())
    return digest.hexdigest()


class Note:
    """One note of how far audits got."""

    def __init__(self, home: Home, path: Path, identity: str) -> None:
        """Reads nothing yet.

        Args:
            home: this client's files.
            path: the note's.
            identity: the registry's, SHA-256 of its genesis.
        """
        self._home = home
        self._path = path
        self._identity = identity

    def recall(self) -> Remembered:
        """What was noted; nothing, unless it is our own, of this registry, by these rules."""
        data = unseal(self._home, self._path)
        if not data or (data["rules"], data["genesis"]) != (rule_set(), self._identity):
            return Remembered()
        return Remembered(data["head"], data["commits"], data["records"])

    def write(self, proven: Remembered) -> None:
        """Notes how far it is now.

        Raises:
            InputError: it can't be written.
        """
        data = {"rules": rule_set(), "genesis": self._identity, **asdict(proven)}
        seal(self._home, self._path, data)

    def keep(self, before: Remembered) -> Callable[[str, int, int], None]:
        """What an audit may call as it goes on (`audit.Proven`); notes it now and then.

        Args:
            before: what it begins with.
        """
        last = time.monotonic()

        def proven(head: str, commits: int, records: int) -> None:
            nonlocal last
            if time.monotonic() - last > _EVERY_SECONDS:
                self.write(before.with_more(head, commits, records))
                last = time.monotonic()

        return proven
