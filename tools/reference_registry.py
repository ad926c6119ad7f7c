"""Plays the story and makes its registry the reference registry of this repository.

Writes ``registry/`` (the tree of the story's main), ``examples/preterm/reference.bundle`` (its
whole history) and ``examples/preterm/reference.json`` (genesis and head). The private keys that
signed are deleted with the temporary folder. ``schemas/`` is left alone, and must be what the
story's registry holds. Refuses to write anything that tells of this machine.

Example:
    $ python tools/reference_registry.py
"""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from medperf_git.store.snapshot import snapshot_at
from medperf_git.store.tree import GitTree, walk
from medperf_git.vcs import Repository
from medperf_git.workflows.audit import audit

TOP: Final = Path(__file__).resolve().parent.parent
EXAMPLE: Final = TOP / "examples" / "preterm"
BUNDLE: Final = EXAMPLE / "reference.bundle"
FACTS: Final = EXAMPLE / "reference.json"
_SHORT: Final = 4
"""Names as short as this occur in any text."""


class UnfitError(Exception):
    """What the story left can't be the reference."""


def play(folder: Path) -> Path:
    """Plays the story with the sandbox; returns its bare repository."""
    mpgit = Path(sys.executable).with_name("mpgit")
    # Whoever runs this is no author of what the story's people wrote.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    demo = folder / "demo"
    subprocess.run(
        [str(mpgit), "demo", "--folder", str(demo), "--example", str(EXAMPLE)],
        env=environment,
        check=True,
    )
    return demo / "registry.git"


def refuse_unfit(repository: Repository, head: str, folder: Path) -> None:
    """Refuses a history that is not accepted, other schemas, and traces of this machine.

    Raises:
        UnfitError: naming what is wrong.
    """
    report = audit(repository, head, genesis=None)
    if not report.accepted:
        raise UnfitError("the audit refuses the story's registry")
    for path, payload in files(repository, head, "schemas").items():
        if (TOP / path).read_bytes() != payload:
            raise UnfitError(f"{path} differs from the registry's: run `make docs` first")
    command = ["git", "--git-dir", str(repository.path), "cat-file"]
    everything = subprocess.run(
        [*command, "--batch-all-objects", "--batch"], capture_output=True, check=True
    ).stdout
    traces = {str(TOP), str(folder), str(Path.home()), tempfile.gettempdir() + "/"}
    names = {socket.gethostname(), getpass.getuser()}
    words = {rf"(?<![\w.-]){re.escape(word)}" for word in traces if len(word) > 1}
    words |= {rf"\b{re.escape(name)}\b" for name in names - {"root"} if len(name) > _SHORT}
    words |= {"PRIVATE KEY"}
    found = re.search("|".join(sorted(words)).encode(), everything)
    if found:
        raise UnfitError(f"the registry holds {found[0].decode()!r}")


def files(repository: Repository, head: str, folder: str) -> dict[str, bytes]:
    """Every file of a folder at a commit."""
    tree = GitTree(repository, repository.commit(head).tree)
    return {path: tree.blob(entry) for path, entry in walk(tree, folder)}


def write(repository: Repository, head: str) -> None:
    """Writes the tree, the history and the facts."""
    shutil.rmtree(TOP / "registry", ignore_errors=True)
    for path, payload in files(repository, head, "registry").items():
        target = TOP / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(payload)
    bundle = ["bundle", "create", "--quiet", str(BUNDLE), "HEAD", "main"]
    subprocess.run(["git", "--git-dir", str(repository.path), *bundle], check=True)
    facts = {"genesis": snapshot_at(repository, head).identity, "head": head}
    FACTS.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


def main() -> int:
    """Plays, looks, writes; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="mpgit-reference-") as name:
        host = play(Path(name))
        with Repository.open(host) as repository:
            head = repository.resolve("main")
            refuse_unfit(repository, head, Path(name))
            write(repository, head)
    print(f"wrote registry/, {BUNDLE.relative_to(TOP)} and {FACTS.relative_to(TOP)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (UnfitError, subprocess.CalledProcessError) as problem:
        sys.exit(str(problem))
