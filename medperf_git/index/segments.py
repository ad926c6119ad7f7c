"""The index's files: immutable segments, and one manifest that says which of them count.

A segment is a Parquet file that never changes. The manifest names the registry, the commit, the
format and every segment with its digest; it is replaced in one step, so that readers see one
index or the next and never wait. A segment whose file was touched since is read against its
digest again; what does not fit is no index.

Example:
    >>> made = Manifest(format=1, mpgit="0", identity="0" * 64, commit="1" * 40, commits=0)
    >>> made.digest == made.model_copy(update={"commits": 1}).digest
    False
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from medperf_git.atomic import write_bytes
from medperf_git.canonical.digest import sha256_hex
from medperf_git.errors import CacheError
from medperf_git.index.tables import FORMAT
from medperf_git.records.base import Commit, Count, Part, Sha256
from medperf_git.version import __version__

MANIFEST: Final = "manifest.json"
_GRACE_SECONDS: Final = 600
"""How long a file stays that no manifest names: somebody may be reading it, or writing it."""


class Segment(Part):
    """One Parquet file."""

    table: str
    """The table that its rows belong to."""
    file: Annotated[str, Field(pattern=r"^[a-z]+-[0-9a-f]{16}\.parquet$")]
    """Its name in the index's folder."""
    rows: Count
    """How many rows it has."""
    sha256: Sha256
    """The digest of its bytes."""
    stat: tuple[int, int, int, int]
    """Size, times of change and number of the file whose bytes had that digest."""


class Manifest(Part):
    """What the index holds."""

    format: int
    """The columns' format."""
    mpgit: str
    """The version that read the records."""
    identity: Sha256
    """The registry."""
    commit: Commit
    """The commit of main up to which it reaches."""
    commits: Count
    """How many commits that are."""
    doubts: bool = False
    """Whether a record names a compromised key."""
    segments: tuple[Segment, ...] = Field(default=())
    """Every segment."""

    @property
    def digest(self) -> str:
        """What a manifest that somebody edited no longer fits."""
        return sha256_hex(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode())

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        return sum(segment.rows for segment in self.segments if segment.table == table)


def load(folder: Path, identity: str) -> Manifest | None:
    """The manifest of an index whose files are what it says; None where there is no index yet.

    Files that were copied or touched are read against their digests; the manifest then knows
    them as they are now.

    Raises:
        CacheError: there is one that can't be used; the message says why.
    """
    manifest = peek(folder)
    if manifest is None:
        return None
    if manifest.format != FORMAT or manifest.mpgit != __version__:
        raise CacheError("another version of mpgit made it")
    if manifest.identity != identity:
        raise CacheError("it is of another registry")
    segments = tuple(_verified(folder, segment) for segment in manifest.segments)
    return manifest.model_copy(update={"segments": segments})


def peek(folder: Path) -> Manifest | None:
    """The manifest as it stands, whatever the files are.

    Raises:
        CacheError: it is damaged, or was edited.
    """
    try:
        data = json.loads((folder / MANIFEST).read_bytes())
        digest = data.pop("digest")
        manifest = Manifest.model_validate_json(json.dumps(data))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CacheError("its manifest is damaged") from error
    if digest != manifest.digest:
        raise CacheError("its manifest was changed")
    return manifest


def _verified(folder: Path, segment: Segment) -> Segment:
    path = folder / segment.file
    try:
        stat = _stat(path)
        if stat == segment.stat:
            return segment
        same = _digest(path) == segment.sha256
    except OSError as error:
        raise CacheError(f"{segment.file} is missing") from error
    if not same:
        raise CacheError(f"{segment.file} was changed")
    return segment.model_copy(update={"stat": stat})


def save(folder: Path, manifest: Manifest) -> None:
    """Puts a manifest in the place of the one before; everything it names must be there."""
    data: dict[str, Any] = manifest.model_dump(mode="json")
    text = json.dumps({**data, "digest": manifest.digest}, indent=1) + "\n"
    write_bytes(folder / MANIFEST, text.encode())


def new_file(folder: Path, table: str) -> Path:
    """A name for a segment that nobody has used."""
    return folder / f"{table}-{secrets.token_hex(8)}.parquet"


def segment_of(table: str, path: Path, rows: int) -> Segment:
    """The segment in a file that was just written."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return Segment(table=table, file=path.name, rows=rows, sha256=_digest(path), stat=_stat(path))


def _stat(path: Path) -> tuple[int, int, int, int]:
    found = path.stat(follow_symlinks=False)
    # The time of the inode's change can't be set back by whoever changed the bytes.
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(folder: Path, manifest: Manifest) -> None:
    """Removes files that the manifest does not name and that nobody reads any more."""
    named = {segment.file for segment in manifest.segments}
    before = time.time() - _GRACE_SECONDS
    for path in folder.glob("*.parquet"):
        with suppress(OSError):
            if path.name not in named and path.stat().st_mtime < before:
                path.unlink()
