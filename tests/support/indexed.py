"""A made-up registry with a client's home that has joined it: for questions to many results.

Example::

    client = join(folder, 60)
    client.do("leaderboard", client.benchmark).text
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from medperf_git.index.tables import FORMAT
from medperf_git.store.home import Home
from perf.make_registry import make
from tests.support.site import Done, Site

NAME = "large"


@dataclass(frozen=True)
class Client:
    """One client, and the repository that it follows.

    Attributes:
        site: where both are.
        identity: the registry's.
        benchmark: the first benchmark's id.
    """

    site: Site
    identity: str
    benchmark: str

    @property
    def repository(self) -> Path:
        """The host's."""
        return self.site.host

    @property
    def home(self) -> Home:
        """The client's."""
        return self.site.home("eve")

    @property
    def index(self) -> Path:
        """The folder of its index."""
        return self.home.index(self.identity, FORMAT)

    def do(self, *words: str | Path, expect: int | None = 0) -> Done:
        """Types a command."""
        return self.site.do("eve", *words, expect=expect)

    def copy(self, folder: Path) -> Client:
        """The same client once more, in a folder of a test's own."""
        shutil.copytree(self.site.folder, folder, symlinks=True)
        return Client(Site(folder), self.identity, self.benchmark)


def join(folder: Path, results: int) -> Client:
    """Makes a registry with so many results, and a home that has audited it."""
    made = make(folder / "registry.git", results, tell=lambda _line: None)
    client = Client(Site(folder), made.identity, "institute-0/preterm-0")
    client.do("registry", "add", NAME, folder / "registry.git", "--genesis", made.identity, "--yes")
    return client
