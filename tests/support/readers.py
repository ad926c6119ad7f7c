"""A finished tree's two readers: tools/verify.sh, and `mpgit audit --tree`.

Example:
    >>> VERIFY.name
    'verify.sh'
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from medperf_git.errors import MpgitError
from medperf_git.vcs import Repository
from medperf_git.workflows.tree_audit import audit_tree

VERIFY: Final = Path(__file__).resolve().parent.parent.parent / "tools" / "verify.sh"
SECONDS: Final = 60
"""More than any tree here takes: the script must not hang on a hostile one."""


def by_script(path: Path, *arguments: str) -> tuple[bool, str]:
    """What verify.sh says of a repository, and what it prints."""
    done = subprocess.run(
        [VERIFY, path, *arguments], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    last = done.stdout.splitlines()[-1] if done.stdout else done.stderr
    assert (done.returncode, last) in ((0, "ACCEPTED"), (1, "REFUSED")), done
    assert done.returncode or not done.stderr, done.stderr
    return not done.returncode, done.stdout


def by_mpgit(path: Path, genesis: str | None = None, revision: str = "main") -> bool:
    """What `mpgit audit --tree` says."""
    with Repository.open(path) as repository:
        try:
            return audit_tree(repository, repository.resolve(revision), genesis=genesis).accepted
        except MpgitError:
            return False
