"""Reads Git's objects by their ids: loose ones here, packed ones from git's own helpers.

Bytes are held against their id before anybody sees them. What was read last is remembered by its
id, within a bound; an id names its bytes, so what is remembered can't change a verdict. Starts no
process: ``vcs`` brings the helpers.

Example::

    reader = ObjectReader(folder, folder / "objects", start)
    reader.blob("ce013625030ba8dba906f756967f9e9ca394464a")
"""

from __future__ import annotations

import re
import subprocess
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Final

from medperf_git.errors import GitError
from medperf_git.git.ahead import Ahead
from medperf_git.git.folder import Folder, read_folder
from medperf_git.git.objects import EMPTY_TREE, TreeEntry, object_id, parse_tree
from medperf_git.memory import Memory

_OBJECT_ID = re.compile(r"[0-9a-f]{40}")
_REVISION = re.compile(r"[^\s\x00-\x1f\x7f-][^\s\x00-\x1f\x7f]{0,999}")
"""One word, which can't be taken for an option."""
_BATCH: Final = "--batch"
_BATCH_CHECK: Final = "--batch-check"
_WORDS: Final = 3
"""Id, kind and size: what a helper says of an object that is there."""
_BLOB_BYTES: Final = 16 * 1024 * 1024
"""How many bytes of blobs are remembered; one blob takes a part of them at most."""
_FOLDER_ENTRIES: Final = 100_000
"""How many entries of folders are remembered."""
_PART: Final = 64
_WIDE_BYTES: Final = 4096
_WIDE_FOLDERS: Final = 16
"""From how many bytes on a folder is read like its last version, and how many of these are kept."""
_BEGINS: Final = 40


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a helper, whatever it is doing."""
    process.terminate()
    with suppress(OSError), process:  # closes its pipes and waits for it
        pass


def _end_all(helpers: dict[str, subprocess.Popen[bytes]]) -> None:
    while helpers:
        end(helpers.popitem()[1])


class ObjectReader:
    """The objects of one repository."""

    def __init__(
        self, place: Path, objects: Path, start: Callable[[str], subprocess.Popen[bytes]]
    ) -> None:
        """Reads nothing yet.

        Args:
            place: the repository, for messages.
            objects: its folder of objects.
            start: starts ``git cat-file`` with an option.
        """
        self._place = place
        self._objects = objects
        self._start = start
        self._helpers: dict[str, subprocess.Popen[bytes]] = {}
        # Not `__del__`: in a circle of garbage the helpers' pipes could be gone before us.
        weakref.finalize(self, _end_all, self._helpers)
        self._ahead = Ahead(BytesIO())
        self._blobs = Memory[bytes](_BLOB_BYTES)
        self._folders = Memory[Mapping[str, TreeEntry]](_FOLDER_ENTRIES)
        self._wide = Memory[Folder](_WIDE_FOLDERS)

    def close(self) -> None:
        """Ends the helpers; the next read starts them again."""
        _end_all(self._helpers)

    def _end(self, option: str) -> None:
        end(self._helpers.pop(option))

    @contextmanager
    def reading_ahead(self, stream: IO[bytes]) -> Iterator[None]:
        """Meanwhile objects are taken from a stream first; only speeds reading up (`Ahead`)."""
        self._ahead = Ahead(stream)
        try:
            yield
        finally:
            self._ahead = Ahead(BytesIO())

    def blob(self, oid: str) -> bytes:
        """A blob's bytes.

        Raises:
            GitError: there is no such blob.
        """
        known = self._blobs.get(oid)
        if known is None:
            known = self.read(oid, b"blob")
            if len(known) <= _BLOB_BYTES // _PART:
                self._blobs.put(oid, known, len(known) + _PART)
        return known

    def blob_size(self, oid: str) -> int:
        """A blob's size in bytes, without reading it.

        Raises:
            GitError: there is no such blob.
        """
        known = self._blobs.get(oid)
        if known is not None:
            return len(known)
        ahead = self._ahead.get(oid)
        if ahead is not None:
            kind, size = ahead[0], len(ahead[1])
        else:
            kind, size = self._loose_head(oid) or self._ask(_BATCH_CHECK, oid)[:2]
        self._refuse_other(oid, kind, b"blob")
        return size

    def folder(self, oid: str) -> Mapping[str, TreeEntry]:
        """A tree object's entries by name.

        Raises:
            GitError: there is no such tree, or it is malformed.
        """
        if oid == EMPTY_TREE:
            return {}
        known = self._folders.get(oid)
        if known is None:
            known = self._entries(oid, self.read(oid, b"tree"))
            self._folders.put(oid, known, len(known) + 1)
        return known

    def _entries(self, oid: str, payload: bytes) -> Mapping[str, TreeEntry]:
        if len(payload) < _WIDE_BYTES:
            return {entry.name: entry for entry in parse_tree(oid, payload)}
        # Versions of one folder begin alike; where they do not, reading only takes longer.
        begins = payload[:_BEGINS].hex()
        like = self._wide.get(begins)
        folder = read_folder(oid, payload, like) if like else read_folder(oid, payload)
        self._wide.put(begins, folder, 1)
        return folder.entries

    def read(self, oid: str, kind: bytes) -> bytes:
        """The bytes of an object of this kind; nothing is remembered.

        Raises:
            GitError: there is no such object.
        """
        if kind == b"commit":
            self._ahead.turn_to(oid)
        known = self._ahead.get(oid)
        found, payload = known or self._loose(oid) or self._packed(oid)
        self._refuse_other(oid, found, kind)
        if known is None and object_id(kind, payload) != oid:
            raise self._damaged(oid)
        return payload

    def _refuse_other(self, oid: str, found: bytes, kind: bytes) -> None:
        if found != kind:
            raise GitError(f"{oid} is a {found.decode('ascii', 'replace')}", code="no-object")

    def _damaged(self, oid: str) -> GitError:
        return GitError(
            f"the object {oid} is missing or damaged", code="no-object", place=str(self._place)
        )

    def _loose(self, oid: str) -> tuple[bytes, bytes] | None:
        """Kind and bytes of an object that is no part of a pack.

        Read here, since git's own helper waits for ever in the middle of a damaged one.
        """
        found = self._inflate(oid)
        if found is None:
            return None
        kind, size, payload = found
        if len(payload) != size:
            raise self._damaged(oid)
        return kind, payload

    def _loose_head(self, oid: str) -> tuple[bytes, int] | None:
        found = self._inflate(oid, head_only=True)
        return found[:2] if found else None

    def _inflate(self, oid: str, *, head_only: bool = False) -> tuple[bytes, int, bytes] | None:
        if not _OBJECT_ID.fullmatch(oid):
            raise self._damaged(oid)
        try:
            with open(f"{self._objects}/{oid[:2]}/{oid[2:]}", "rb") as file:  # noqa: PTH123 (speed)
                inflate = zlib.decompressobj()
                head, mark, payload = inflate.decompress(file.read(1024), 64).partition(b"\0")
                kind, _, digits = head.partition(b" ")
                size = int(digits if mark else b"")
                if not head_only:
                    left = size - len(payload)
                    payload += inflate.decompress(inflate.unconsumed_tail + file.read(), left + 1)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, zlib.error) as error:
            raise self._damaged(oid) from error
        return kind, size, payload

    def _packed(self, oid: str) -> tuple[bytes, bytes]:
        kind, size, answer = self._ask(_BATCH, oid)
        payload = answer.read(size + 1)
        if len(payload) != size + 1:
            self._end(_BATCH)  # it met a damaged object and has died
            raise self._damaged(oid)
        return kind, payload[:-1]

    def resolve(self, revision: str) -> str | None:
        """The id of what a revision names, or None where it names nothing."""
        if not _REVISION.fullmatch(revision):
            return None
        words = self._say(_BATCH_CHECK, revision)
        if words is None:
            self._end(_BATCH_CHECK)
        elif len(words) == _WORDS and _OBJECT_ID.fullmatch(words[0].decode("ascii", "replace")):
            return words[0].decode()
        return None

    def _ask(self, option: str, oid: str) -> tuple[bytes, int, IO[bytes]]:
        """What git says of an object: its kind and size; and where its bytes follow."""
        words = self._say(option, oid)
        if words is None or len(words) != _WORDS or words[0].decode() != oid:
            self._end(option)
            raise self._damaged(oid)
        stream = self._helpers[option].stdout
        assert stream is not None  # noqa: S101 (a pipe)
        return words[1], int(words[2]), stream

    def _say(self, option: str, word: str) -> list[bytes] | None:
        """A helper's answer in words; None where it has died."""
        helper = self._helpers.get(option)
        if helper is None:
            helper = self._helpers[option] = self._start(option)
        assert helper.stdin is not None and helper.stdout is not None  # noqa: S101, PT018 (pipes)
        with suppress(OSError):
            helper.stdin.write(word.encode() + b"\n")
            helper.stdin.flush()
            return helper.stdout.readline().split() or None
        return None
