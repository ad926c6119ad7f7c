"""The variables that every git of ours runs with.

Example:
    >>> variables(Path("/srv/r.git"))["GIT_DIR"]
    '/srv/r.git'
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

PROTOCOLS: Final = "file:git:http:https:ssh"


def variables(folder: Path) -> dict[str, str]:
    """What is set beside the caller's own environment.

    Args:
        folder: the Git folder.
    """
    return {
        # Within a hook the environment names another repository.
        "GIT_DIR": str(folder.absolute()),
        "GIT_ALLOW_PROTOCOL": PROTOCOLS,
        # A repository's own notes on what its history "really" is are not believed.
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_GRAFT_FILE": os.devnull,
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C.UTF-8",
    }
