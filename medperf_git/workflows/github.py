"""What a registry on GitHub needs: two workflows, code owners, and a ruleset to import.

The files stand in ``medperf_git/templates/github``. They are control plane: they go to main in a
request of their own. Talks to nobody.

Example::

    write_github(Path("."), action=f"medperf/medperf_git@{'0' * 40}", genesis="3f2a…",
                 owners=("@clinics/administrators",))
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from medperf_git.atomic import write_bytes
from medperf_git.errors import InputError

WRITTEN: Final = {
    "validate.yml": ".github/workflows/validate.yml",
    "audit.yml": ".github/workflows/audit.yml",
    "CODEOWNERS": ".github/CODEOWNERS",
    "ruleset.json": ".github/ruleset.json",
}
"""Each template, and where it is written to."""

_ACTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+@[0-9a-f]{40}")
_GENESIS = re.compile(r"[0-9a-f]{64}")
_OWNER = re.compile(r"@[A-Za-z0-9][A-Za-z0-9-]*(?:/[A-Za-z0-9._-]+)?")


def write_github(folder: Path, *, action: str, genesis: str, owners: Sequence[str]) -> list[Path]:
    """Writes the files into a checkout; returns them.

    Args:
        folder: the checkout's top.
        action: this project's repository and commit, `owner/name@commit`.
        genesis: the registry's fingerprint.
        owners: who must agree to what changes outside `registry/`: `@person`, `@org/team`.

    Raises:
        InputError: one of them is none, or a file is there already.
    """
    _refuse(_ACTION, action, "--action", "owner/name@COMMIT, the commit in full: no tag moves it")
    _refuse(_GENESIS, genesis, "--genesis", "`mpgit registry ls` shows it")
    for owner in owners:
        _refuse(_OWNER, owner, "--owner", "@person or @organisation/team")
    targets = [folder / place for place in WRITTEN.values()]
    for target in targets:
        if target.exists():
            raise InputError(
                "it is there already, and nothing is overwritten",
                code="file-exists",
                place=str(target),
                advice="move it away, then compare",
            )
    templates = files("medperf_git") / "templates" / "github"
    for name, target in zip(WRITTEN, targets, strict=True):
        text = (templates / name).read_text("utf-8")
        text = text.replace("@ACTION@", action).replace("@GENESIS@", f'"{genesis}"')
        text = text.replace("@OWNERS@", " ".join(owners))
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, text.encode(), 0o644)
    return targets


def _refuse(pattern: re.Pattern[str], text: str, place: str, advice: str) -> None:
    if not pattern.fullmatch(text):
        raise InputError(f"not what it should be: {text!r}", place=place, advice=advice)
