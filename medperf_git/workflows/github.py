"""What a registry on GitHub needs: two workflows, code owners, and a ruleset to import.

The files stand in ``medperf_git/templates/github``. They are control plane: they go to main apart
from records, before the genesis (`mpgit registry init --github`) or in a request of their own
(`mpgit server github`). Talks to nobody.

Example:
    >>> guard = Guard(f"medperf/medperf_git@{'0' * 40}", ("@clinics/administrators",))
    >>> sorted(guard.files("f" * 64))[0]
    '.github/CODEOWNERS'
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from medperf_git.atomic import write_bytes
from medperf_git.errors import InputError

WRITTEN: Final = {
    "validate.yml": ".github/workflows/validate.yml",
    "audit.yml": ".github/workflows/audit.yml",
    "CODEOWNERS": ".github/CODEOWNERS",
    "ruleset.json": ".github/ruleset.json",
    "pull_request_template.md": ".github/pull_request_template.md",
    "problem.yml": ".github/ISSUE_TEMPLATE/problem.yml",
    "config.yml": ".github/ISSUE_TEMPLATE/config.yml",
}
"""Each template, and where it is written to."""

_QUEUE: Final = {
    "check_response_timeout_minutes": 30,
    # Each is judged alone: one that is refused takes no other with it.
    "grouping_strategy": "ALLGREEN",
    "max_entries_to_build": 5,
    "max_entries_to_merge": 1,
    "merge_method": "MERGE",
    "min_entries_to_merge": 1,
    "min_entries_to_merge_wait_minutes": 0,
}
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
_ACTION = re.compile(_REPOSITORY.pattern + r"@[0-9a-f]{40}")
_GENESIS = re.compile(r"[0-9a-f]{64}")
_OWNER = re.compile(r"@[A-Za-z0-9][A-Za-z0-9-]*(?:/[A-Za-z0-9._-]+)?")


@dataclass(frozen=True, slots=True)
class Guard:
    """Who and what guards a registry's main on GitHub.

    Attributes:
        action: this project's repository and the commit whose validator judges,
            `owner/name@commit`.
        owners: who must agree to what changes outside `registry/`: `@person`, `@org/team`.

    Raises:
        InputError: one of them is none.
    """

    action: str
    owners: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuses what could move, or say more than one thing."""
        _refuse(_ACTION, self.action, "--action", "OWNER/NAME@COMMIT, in full: no tag moves it")
        if not self.owners:
            raise InputError("nobody is named", place="--owner", advice="@person or @org/team")
        for owner in self.owners:
            _refuse(_OWNER, owner, "--owner", "@person or @organisation/team")

    def files(self, genesis: str) -> dict[str, bytes]:
        """The files by their paths, for the registry with this genesis.

        Raises:
            InputError: not a SHA-256.
        """
        _refuse(_GENESIS, genesis, "--genesis", "`mpgit registry ls` shows it")
        templates = files("medperf_git") / "templates" / "github"
        values = {
            "@ACTION@": self.action,
            "@GENESIS@": f'"{genesis}"',
            "@OWNERS@": " ".join(self.owners),
        }
        written = {}
        for name, path in WRITTEN.items():
            text = (templates / name).read_text("utf-8")
            for mark, value in values.items():
                text = text.replace(mark, value)
            written[path] = text.encode()
        return written


def ruleset(*, queue: bool = False) -> dict[str, Any]:
    """The ruleset that guards main, as GitHub's interface takes it.

    Args:
        queue: with a merge queue, which only some plans have: each entry is judged on what is
            before it, so that nobody need bring main into a request.
    """
    text = (files("medperf_git") / "templates" / "github" / "ruleset.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    if queue:
        found["rules"].append({"type": "merge_queue", "parameters": dict(_QUEUE)})
    return found


def address(repository: str) -> str:
    """Where Git finds `OWNER/NAME` on GitHub.

    Raises:
        InputError: not a repository's name.
    """
    _refuse(_REPOSITORY, repository, "--github", "OWNER/NAME")
    return f"https://github.com/{repository}.git"


def write_github(folder: Path, guard: Guard, genesis: str) -> list[Path]:
    """Writes the files into a checkout; returns them.

    Args:
        folder: the checkout's top.
        guard: who and what guards main.
        genesis: the registry's fingerprint.

    Raises:
        InputError: no genesis, or a file is there already.
    """
    targets = {folder / path: payload for path, payload in guard.files(genesis).items()}
    for target in targets:
        if target.exists():
            raise InputError(
                "it is there already, and nothing is overwritten",
                code="file-exists",
                place=str(target),
                advice="move it away, then compare",
            )
    for target, payload in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, payload, 0o644)
    return list(targets)


def _refuse(pattern: re.Pattern[str], text: str, place: str, advice: str) -> None:
    if not pattern.fullmatch(text):
        raise InputError(f"not what it should be: {text!r}", place=place, advice=advice)
