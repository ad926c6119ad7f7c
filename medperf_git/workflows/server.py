"""A plain Git server's repository: bare, guarded by a hook, and configured to keep everything.

The hook is ``medperf_git/templates/pre-receive``; it reads its limits from the repository's
configuration. Serving the repository (SSH, HTTP) is the server's own affair.

Example::

    made = init_server(Path("/srv/preterm.git"), program=Path("/opt/mpgit/bin/mpgit"))
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from medperf_git.atomic import write_bytes
from medperf_git.errors import InputError
from medperf_git.vcs import Repository

_EXECUTABLE: Final = 0o755


@dataclass(frozen=True, slots=True)
class Limits:
    """What one push may bring, and what may lie there; 0 is nothing at all."""

    objects: int = 2000
    """New files, folders and commits of one push."""
    megabytes: int = 64
    """Bytes of one push, packed and unpacked."""
    open_requests: int = 100
    """Open requests of one participant."""
    closed_requests: int = 1000
    """Closed requests of one participant."""
    branches: int = 10_000
    """Branches in all."""


@dataclass(frozen=True, slots=True)
class Server:
    """A repository that was made."""

    path: Path
    program: Path


def init_server(folder: Path, program: Path, limits: Limits | None = None) -> Server:
    """Makes a bare repository whose hook guards main.

    Args:
        folder: where to; made if it is missing, and must be empty.
        program: the `mpgit` that the hook calls, by its absolute path.
        limits: other limits than the default ones.

    Raises:
        InputError: the folder is not empty, or there is no such program.
        GitError: it can't be made there.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            "the folder is not empty, and nothing in it is overwritten",
            code="folder-exists",
            place=str(folder),
        )
    # Absolute, but links stay: they outlive an upgrade of what they point to.
    program = program.absolute()
    if not program.is_file() or not os.access(program, os.X_OK):
        raise InputError(
            "no program that can be run",
            code="no-program",
            place=str(program),
            advice="name the server's mpgit: --install-path /…/bin/mpgit",
        )
    with Repository.create(folder) as repository:
        path = repository.path
    config = path / "config"
    text = config.read_text("utf-8") + _configuration(program, limits or Limits())
    write_bytes(config, text.encode(), 0o644)
    for sample in (path / "hooks").glob("*.sample"):
        sample.unlink()
    hook = files("medperf_git") / "templates" / "pre-receive"
    (path / "hooks").mkdir(exist_ok=True)
    write_bytes(path / "hooks" / "pre-receive", hook.read_bytes(), _EXECUTABLE)
    return Server(path, program)


def _configuration(program: Path, limits: Limits) -> str:
    size = limits.megabytes * 1024 * 1024
    sections: dict[str, dict[str, str]] = {
        "core": {
            # Else a setting of the whole machine could switch the guard off.
            "hooksPath": "hooks",
            "logAllRefUpdates": "true",
        },
        "receive": {
            "fsckObjects": "true",
            "denyNonFastForwards": "true",
            # A request's branch goes when it is merged: the hook says which deletions are good.
            "denyDeletes": "false",
            "denyDeleteCurrent": "refuse",
            "maxInputSize": str(size),
            # The hook's message is the answer, even where an older push could not tell.
            "advertiseAtomic": "true",
        },
        # Clients that read one benchmark leave the others' files out and ask for files by id.
        "uploadpack": {"allowFilter": "true", "allowAnySHA1InWant": "true"},
        "mpgit": {
            "program": _quoted(str(program)),
            "maxObjects": str(limits.objects),
            "maxBytes": str(size),
            "maxOpen": str(limits.open_requests),
            "maxClosed": str(limits.closed_requests),
            "maxBranches": str(limits.branches),
        },
    }
    lines = ["# By `mpgit server init`; docs/hosts.md says what each is for."]
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"\t{name} = {value}" for name, value in values.items())]
    # Tags, notes and replacements have no place in a registry: unseen and refused.
    lines += ["[transfer]", "\thideRefs = refs", "\thideRefs = !refs/heads", "\tfsckObjects = true"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A value as Git's configuration spells it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
