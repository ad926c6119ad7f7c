"""The story, played once and looked at by many tests.

`play` runs `mpgit demo` as its users do: the installed command, in a process of its own. With
several pytest workers the first that needs a story plays it, the others wait and look at the
same folder, so nothing in it may be changed: tests that write take a copy.

Example::

    told = play("sandbox", Path("/tmp/story"))
    told.snapshot().identity
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from medperf_git.canonical.digest import fingerprint
from medperf_git.runtime.files import digest_tree
from medperf_git.store.paths import Place, SignaturePlace, locate
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import GitTree, walk
from medperf_git.vcs import Repository
from tests.support import docker_engine

TOP: Final = Path(__file__).resolve().parents[2]
EXAMPLE: Final = TOP / "examples" / "preterm"
MPGIT: Final = Path(sys.executable).with_name("mpgit")
BENCHMARK: Final = "anna-weber/preterm"
HOSPITALS: Final = ("ky", "ms", "ny")
MODELS: Final = {
    "anna-weber/previous-preterm": "rule",
    "north-star/logistic": "logistic",
    "oak-lab/forest": "forest",
}
"""The models that run, and the folder of each in the example."""
SIGNERS: Final = (
    *("ana-silva", "anna-weber", "ben-okafor", "chloe-martin", "north-star", "oak-lab"),
    *HOSPITALS,
)
"""Everybody with a key, and a home of the same name."""
_SECONDS: Final = 600


@dataclass
class Told:
    """A story that was played.

    Attributes:
        engine: what ran the containers.
        folder: what it left.
        exit_code: of `mpgit demo`.
        seconds: how long that took, wall clock.
        output: all that it printed.
        untouched: digests of the hospitals' files before it began.
    """

    engine: str
    folder: str
    exit_code: int
    seconds: float
    output: str
    untouched: dict[str, str]

    @property
    def top(self) -> Path:
        """What it left."""
        return Path(self.folder)

    @property
    def host(self) -> Path:
        """The bare repository that everybody shared."""
        return self.top / "registry.git"

    def home(self, who: str) -> Path:
        """Somebody's home."""
        return self.top / "homes" / who

    def snapshot(self) -> Snapshot:
        """The registry at the end."""
        repository = Repository.open(self.host)
        head = repository.resolve("main")
        return Snapshot(GitTree(repository, repository.commit(head).tree), head)

    def prepared(self, hospital: str) -> Path:
        """A hospital's prepared dataset."""
        return self.home(hospital) / "data" / "datasets" / "preterm" / hospital / "opt"

    def mpgit(self, who: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Somebody types another command."""
        return mpgit(*words, home=self.home(who))

    def json(self, who: str, *words: str | Path) -> Any:
        """What a command says with `--json`; it must succeed."""
        done = self.mpgit(who, *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @cached_property
    def results(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Every result record, by hospital and model, as the researcher lists them."""
        rows = [row["record"] for row in self.json("researcher", "result", "ls")]
        found = {(row["dataset"]["id"].split("/")[0], row["model"]["id"]): row for row in rows}
        assert len(found) == len(rows)
        return found


def mpgit(*words: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    return subprocess.run(
        [str(MPGIT), *map(str, words)],
        env={**os.environ, "MPGIT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )


def hospital_digests() -> dict[str, str]:
    """What names the hospitals' files, content and all."""
    folder = EXAMPLE / "hospitals"
    return {name: fingerprint(digest_tree(folder / name)) for name in HOSPITALS}


def play(engine: str, folder: Path) -> Told:
    """Play the story into a folder, or find it there."""
    told = folder / "told.json"
    if told.exists():
        return Told(**json.loads(told.read_text()))
    folder.mkdir(parents=True, exist_ok=True)
    options: list[str | Path] = ["--example", EXAMPLE, "--folder", folder / "demo"]
    if engine == "docker":
        images = folder / "images.json"
        images.write_text(json.dumps(docker_engine.example_images()))
        options += ["--images", images]
    before = hospital_digests()
    began = time.monotonic()
    done = mpgit("demo", "--engine", engine, *options, home=folder / "nobody")
    found = Told(
        engine, str(folder / "demo"), done.returncode, time.monotonic() - began,
        done.stdout + done.stderr, before,
    )  # fmt: skip
    told.write_text(json.dumps(asdict(found)))
    return found


def copy_of(repository: Path, folder: Path) -> Repository:
    """A copy of a bare repository, for tests that write into it."""
    target = folder / "copy.git"
    shutil.copytree(repository, target)
    return Repository.open(target)


def files_of(snapshot: Snapshot) -> dict[str, bytes]:
    """Every file under ``registry/``."""
    return {path: snapshot.tree.blob(entry) for path, entry in walk(snapshot.tree, "registry")}


def signed(files: dict[str, bytes]) -> Iterator[tuple[SignaturePlace, bytes, bytes]]:
    """Every signature with its bytes and those of the record that it stands beside."""
    for path in sorted(files):
        place = locate(path)
        if isinstance(place, SignaturePlace):
            yield place, files[path], files[place.record.path]
        else:
            assert isinstance(place, Place), path
