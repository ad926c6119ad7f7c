"""Fingerprints of folders that stay at a site: made by reading everything, confirmed by less.

`fingerprint_tree` reads every byte and leaves an index (``file_index`` says what that trusts);
`confirm_tree` reads only what changed since, or can't be trusted. A missing, foreign or damaged
index costs a full reading. Does not know what the fingerprint should be.

Example:
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "data"
    >>> folder.mkdir()
    >>> _ = (folder / "a.csv").write_bytes(b"abc")
    >>> confirm_tree(folder) == fingerprint_tree(folder)
    True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from medperf_git.canonical.digest import root_of
from medperf_git.errors import InputError
from medperf_git.runtime.file_index import (
    TreeDigest,
    keeps_times,
    make_index,
    now,
    read_index,
    write_index,
)
from medperf_git.runtime.file_rows import Columns, Row, identities_of, known_row
from medperf_git.runtime.files import list_tree, read_files
from medperf_git.runtime.many_files import opened_folder, same_files

WORTH_FILES: Final = 500
WORTH_BYTES: Final = 1 << 23
"""A folder with fewer files and bytes is read as quickly as its index would be."""


def fingerprint_tree(folder: Path, progress: Callable[[int], None] | None = None) -> TreeDigest:
    """The fingerprint of a folder; every byte is read.

    Args:
        folder: what to read.
        progress: called with the number of bytes of each file as it is done.

    Raises:
        ArtefactError: as `digest_tree`.
    """
    return _read(folder, {}, progress)


def confirm_tree(folder: Path, progress: Callable[[int], None] | None = None) -> TreeDigest:
    """The fingerprint of a folder; files that did not change since they were read are not read.

    Args:
        folder: what to look at.
        progress: called with the number of bytes of each file that is read.

    Raises:
        ArtefactError: as `digest_tree`.
    """
    index = read_index(folder)
    if index is None or not keeps_times(folder):
        return _read(folder, {}, progress)
    if index.settled:
        with suppress(OSError), opened_folder(folder) as top:
            # The folders are among them: no name came, and none went.
            if same_files(top, index.paths, index.identities):
                return index.tree
    return _read(folder, index.known(), progress)


def _read(
    folder: Path,
    known: Mapping[bytes, tuple[bytes, bytes]],
    progress: Callable[[int], None] | None,
) -> TreeDigest:
    began = now(folder.parent)
    folders, paths = list_tree(folder)
    rows = _unchanged(folder, paths, known) if known else {}
    others = [path for path in paths if path not in rows] if rows else paths
    read = read_files(folder, others, progress)
    if rows:
        rows |= zip(others, read, strict=True)
        read = [rows[path] for path in paths]
    columns = Columns(read)
    tree = TreeDigest(root_of(columns.leaves), len(paths), columns.size)
    if began is not None and (tree.files >= WORTH_FILES or tree.size >= WORTH_BYTES):
        # Without an index everything is read again, which is no reason to fail now.
        with suppress(OSError, InputError), opened_folder(folder) as top:
            stood = folders, identities_of(top, folders)
            write_index(folder, make_index(tree, stood, (paths, columns), began))
    return tree


def _unchanged(
    folder: Path, paths: Sequence[bytes], known: Mapping[bytes, tuple[bytes, bytes]]
) -> dict[bytes, Row]:
    """The rows of the files that are as they are known."""
    found = {}
    with suppress(OSError), opened_folder(folder) as top:
        for path in paths:
            identity, sha256 = known.get(path, (b"", b""))
            if identity and identities_of(top, [path]) == identity:
                found[path] = known_row(path, identity, sha256)
    return found
