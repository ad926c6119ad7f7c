"""What a killed process leaves beside the files it wrote: scratch folders and parts of files.

Their names say that they are ours. Nobody may be at work in a folder while it is swept.

Example:
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / f"{SCRATCH_PREFIX}ab12").mkdir()
    >>> [path.name for path in leftovers(folder)]
    ['.mpgit-ab12']
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from medperf_git.atomic import PART_SUFFIX

SCRATCH_PREFIX: Final = ".mpgit-"
"""What the names of scratch folders begin with."""


def leftovers(folder: Path) -> Iterator[Path]:
    """Scratch folders and parts of files right in a folder; links are none of ours."""
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            if path.is_symlink():
                continue
            scratch = path.name.startswith(SCRATCH_PREFIX) and path.is_dir()
            part = path.name.startswith(".") and path.name.endswith(PART_SUFFIX)
            if scratch or (part and path.is_file()):
                yield path


def sweep(folder: Path) -> None:
    """Removes them from a folder."""
    for path in leftovers(folder):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
