"""How costs grow with a registry: the same questions to registries of 1,000 results and more.

Registries are made by ``make_registry`` and really signed; one of their hospitals is the client,
with its own key. Each figure is a whole process, its start included. `MPGIT_PERF_SIZES` names
other sizes; registries that are made already are taken from the folder `MPGIT_PERF_REGISTRIES`
(`rN.git`). What was measured is also written as JSON where `MPGIT_PERF_JSON` says.

Example:
    $ MPGIT_PERF_SIZES=1000,10000,100000 python -m perf growth
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from medperf_git.store.change import write_files
from medperf_git.store.home import Home
from medperf_git.store.paths import SignaturePlace, locate
from medperf_git.store.snapshot import snapshot_at
from medperf_git.store.tree import GitTree, difference, read
from medperf_git.trust import keyring
from medperf_git.vcs import Repository
from perf.make_registry import make
from perf.registry_clerk import Keys

SIZES: Final = (1_000, 10_000)
TIMES: Final = 5
BEFORE: Final = 3
"""From how many merged requests before the last one on the client follows."""
PATIENCE: Final = 100
SEED: Final = "mpgit"
AUTHOR: Final = ("perf", "perf@example")
MAIN: Final = "refs/heads/main"
KEY: Final = "laptop"
_SERVER: Final = {"uploadpack.allowFilter": "true", "uploadpack.allowAnySHA1InWant": "true"}
_SPENT: Final = """
import json, os, resource, subprocess, sys, time
began = time.monotonic()
code = subprocess.call(sys.argv[2:], stdout=subprocess.DEVNULL)
spent = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
with open(sys.argv[1], "w") as file:
    json.dump(spent, file)
sys.exit(code)
"""
"""In a small process of its own: a child's peak of memory begins with its parent's size."""


@dataclass(frozen=True)
class Figures:
    """What was measured of one registry; seconds, and MB of memory or disk.

    Memory is the peak of the largest process at the client, mpgit or one of git that it started;
    what of a pack is mapped counts. A `git daemon` serves the registry.

    Attributes:
        results: how many it has.
        made: to make it, or to clone what is made.
        clone_mb: the repository.
        check: the verdict on a request of one result.
        join: the first sync of a new client, which audits everything.
        sync: the sync that brings one merged request; the last of them brings one result.
        index: the first leaderboard, which makes the index.
        index_mb: the index.
        leaderboard: of one benchmark, with the index made.
        updated: the leaderboard after one more record: it brings the index up to date.
        open: signing and opening a request of one record.
        judge: the verdict on that request, by its number.
        merge: merging it.
        push: git alone, which pushes one commit to the same server, without mpgit.
    """

    results: int
    made: float
    clone_mb: float
    check: float
    check_mb: float
    join: float
    join_mb: float
    sync: float
    sync_mb: float
    index: float
    index_made_mb: float
    index_mb: float
    leaderboard: float
    leaderboard_mb: float
    updated: float
    open: float
    judge: float
    merge: float
    merge_mb: float
    push: float
    push_mb: float


FLAT: Final = ("check", "check_mb", "sync", "sync_mb", "open", "judge", "merge", "merge_mb")


def measure() -> Iterator[str]:
    """Each size, then the ratios of the largest to the smallest."""
    sizes = [int(size) for size in os.environ.get("MPGIT_PERF_SIZES", "").split(",") if size]
    found = []
    for size in sizes or SIZES:
        with tempfile.TemporaryDirectory(prefix="mpgit-perf-") as folder:
            figures = _figures(Path(folder), size)
        found.append(figures)
        data = asdict(figures)
        yield f"{data.pop('results')} results:"
        for name, value in data.items():
            yield f"  {name}: {value:.2f}"
        if target := os.environ.get("MPGIT_PERF_JSON"):
            text = json.dumps([asdict(each) for each in found], indent=2)
            Path(target).write_text(text + "\n")
    small, large = (asdict(found[at]) for at in (0, -1))
    ratios = ", ".join(f"{name} {large[name] / small[name]:.2f}" for name in FLAT)
    yield f"{large['results']} to {small['results']} results: {ratios}"


def _figures(folder: Path, size: int) -> Figures:
    with _served(folder) as url:
        return _measured(folder, size, f"{url}/registry.git")


def _measured(folder: Path, size: int, url: str) -> Figures:
    registry = folder / "registry.git"
    began = time.monotonic()
    ready = Path(os.environ.get("MPGIT_PERF_REGISTRIES", ""), f"r{size}.git")
    if ready.exists():
        words = ("clone", "--quiet", "--bare", "--shared", ready, registry)
        subprocess.run(["git", *words], check=True)
    else:
        make(registry, size, seed=SEED, tell=lambda _line: None)
    for name, value in _SERVER.items():  # as `mpgit server init` sets them
        subprocess.run(["git", "-C", registry, "config", name, value], check=True)
    took = time.monotonic() - began
    clone = _megabytes(ready if ready.exists() else registry)
    with Repository.open(registry) as repository:
        asked = _request(repository)
        identity = snapshot_at(repository, asked.base).identity
    client = _Client(folder / "home", asked.owner)
    revisions = ("--base", asked.base, "--head", asked.head)
    checks = [client.do("check", *revisions, "--git-dir", str(registry)) for _ in range(TIMES)]
    # The client joins a registry that lacks what was merged last, which then comes.
    *later, first = _first_parents(registry, asked.base, BEFORE)
    _set_main(registry, first)
    joined = client.do("registry", "add", "r", url, "--genesis", identity, "--yes")
    synced = []
    for head in (*reversed(later), asked.head):
        _set_main(registry, head)
        synced.append(client.do("registry", "sync"))
    index = client.do("leaderboard", asked.benchmark)
    boards = [client.do("leaderboard", asked.benchmark) for _ in range(3)]
    why = ("--reason", "The scanner was not calibrated.", "--yes")
    opened = client.do("withdraw", asked.result, *why)
    name = _open_request(registry)
    judged = [client.do("request", "check", name) for _ in range(3)]
    merged = client.do("request", "merge", name)
    updated = client.do("leaderboard", asked.benchmark)
    pushed = _pushed_by_git(folder, url)
    return Figures(
        results=size,
        made=took,
        clone_mb=clone,
        check=statistics.median(seconds for seconds, _ in checks),
        check_mb=max(memory for _, memory in checks),
        join=joined[0],
        join_mb=joined[1],
        sync=statistics.median(seconds for seconds, _ in synced),
        sync_mb=max(memory for _, memory in synced),
        index=index[0],
        index_made_mb=index[1],
        index_mb=_megabytes(client.home.cache / "index"),
        leaderboard=statistics.median(seconds for seconds, _ in boards),
        leaderboard_mb=max(memory for _, memory in boards),
        updated=updated[0],
        open=opened[0],
        judge=statistics.median(seconds for seconds, _ in judged),
        merge=merged[0],
        merge_mb=merged[1],
        push=pushed[0],
        push_mb=pushed[1],
    )


def _pushed_by_git(folder: Path, url: str) -> tuple[float, float]:
    """What a plain git and its server need for one commit that adds one file."""
    clone = folder / "clone.git"
    words = ("clone", "--quiet", "--bare", "--shared", folder / "registry.git", clone)
    subprocess.run(["git", *words], check=True)
    with Repository.open(clone) as repository:
        main = repository.resolve(MAIN)
        tree = write_files(repository, repository.commit(main).tree, {"note.txt": b"one file\n"})
        commit = repository.write_commit(tree, [main], "One file", AUTHOR)
    push = ("push", "--quiet", url, f"{commit}:refs/heads/one-file")
    return _spent(folder, ("git", "--git-dir", str(clone), *push))


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """By a server that is no child of the client, whose memory would count as the client's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--listen=127.0.0.1", f"--port={port}", f"--base-path={folder}", "--export-all"]
    words += ["--reuseaddr", "--enable=receive-pack", "--informative-errors"]
    # It complains of whoever only looks whether it is there.
    quiet = subprocess.DEVNULL
    with subprocess.Popen(["git", "daemon", *words, str(folder)], stderr=quiet) as server:
        try:
            for _ in range(PATIENCE):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            yield f"git://127.0.0.1:{port}"
        finally:
            server.terminate()


def _first_parents(registry: Path, commit: str, count: int) -> list[str]:
    """A commit and those before it, newest first."""
    with Repository.open(registry) as repository:
        found = [commit]
        while len(found) < count:
            found.append(repository.commit(found[-1]).parents[0])
    return found


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _set_main(registry: Path, commit: str) -> None:
    with Repository.open(registry) as repository:
        repository.set_ref(MAIN, commit)


def _open_request(registry: Path) -> str:
    with Repository.open(registry) as repository:
        (name,) = repository.refs("refs/heads/requests/")
    return name.removeprefix("refs/heads/requests/")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request of one result, on the state before the last commit."""

    base: str
    head: str
    benchmark: str
    result: str
    owner: str


def _request(repository: Repository) -> _Asked:
    main = repository.resolve(MAIN)
    base = repository.commit(main).parents[0]
    trees = [GitTree(repository, repository.commit(oid).tree) for oid in (base, main)]
    added = sorted(change.path for change in difference(*trees))
    signature = next(place for path in added if isinstance(place := locate(path), SignaturePlace))
    record = signature.record
    files = {path: read(trees[1], path) or b"" for path in (record.path, signature.path)}
    tree = write_files(repository, trees[0].oid, files)
    head = repository.write_commit(tree, [base], "Submit one result", AUTHOR)
    benchmark = "/".join(record.id.split("/")[:2])
    return _Asked(base, head, benchmark, record.path, signature.signer)


class _Client:
    """A client with the key of somebody whom the registry knows."""

    def __init__(self, folder: Path, who: str) -> None:
        self.home = Home(folder)
        self._folder = folder
        pem = folder.parent / "key.pem"
        pem.write_bytes(Keys(SEED).private_pem(who))
        keyring.import_key(self.home.key(KEY), pem, lambda _what: "")

    def do(self, *words: str) -> tuple[float, float]:
        """Seconds and MB that a command takes."""
        mpgit = (sys.executable, "-m", "medperf_git", *words)
        seconds, memory = _spent(self._folder.parent, mpgit, MPGIT_HOME=str(self._folder))
        # A million results take long: who waits sees how far it is.
        print(f"    mpgit {words[0]}: {seconds:.2f} s, {memory:.0f} MB", file=sys.stderr)
        return seconds, memory


def _spent(folder: Path, command: Sequence[str], **variables: str) -> tuple[float, float]:
    """Seconds and MB that a command takes."""
    said = folder / "spent.json"
    done = subprocess.run(
        [sys.executable, "-S", "-c", _SPENT, str(said), *command],
        env={**os.environ, **variables},
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode not in (0, 3):
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode()[-2000:]}")
    seconds, memory = json.loads(said.read_text())
    return seconds, memory
