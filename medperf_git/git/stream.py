r"""What git writes in one go: what each commit of a history added, and the bytes of many blobs.

For work that reads a whole history: one process of git instead of a question for every object.
Reads streams alone; ``vcs`` starts the processes. Judges nothing.

Example:
    >>> from io import BytesIO
    >>> stream = b"%s 7 \0\n:000000 100644 %s %s A\0a.txt\0" % (b"c" * 40, b"0" * 40, b"b" * 40)
    >>> [(landing.time, landing.changes[0].path) for landing in landings(BytesIO(stream))]
    [(7, 'a.txt')]
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO, Final, NamedTuple

from medperf_git.errors import GitError
from medperf_git.git.objects import object_id

LOG: Final = (
    # Whatever the person's own configuration of git says: the same words.
    *("-c", "log.showRoot=true", "-c", "log.showSignature=false"),
    # Each folder is read once: what git keeps of them for later only takes memory.
    *("-c", "core.deltaBaseCacheLimit=16m"),
    *("log", "--first-parent", "--diff-merges=first-parent", "--raw", "--no-renames"),
    *("--no-abbrev", "-z", "--reverse", "--no-color", "--no-decorate", "--no-notes"),
    "--ignore-submodules=none",
    "--format=%H %ct %P",
)
"""The arguments of git whose output `landings` reads; a revision and `--` follow."""
_READ: Final = ("040000", "100644")
"""Folders and plain files; the others are judged by their mode alone, or are nothing any more."""
_CHUNK: Final = 1 << 18
_WORDS: Final = 3
"""Id, kind and size: what git says of an object that is there."""


class Landed(NamedTuple):
    """One path that a commit changed.

    Attributes:
        path: the path.
        mode: what it is now, in octal digits.
        oid: the blob that stands there now.
        added: whether nothing stood there before.
    """

    path: str
    mode: str
    oid: str
    added: bool


class Landing(NamedTuple):
    """One commit along first parents.

    Attributes:
        commit: its id.
        time: its committer's clock, in seconds since 1970.
        parent: its first parent; "" for the first commit of all.
        changes: what it changed against that parent.
    """

    commit: str
    time: int
    parent: str
    changes: list[Landed]


def _fields(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest:
        raise GitError("the history breaks off", code="no-object")


def landings(stream: IO[bytes]) -> Iterator[Landing]:
    """The commits in the output of `LOG`, oldest first.

    Raises:
        GitError: it is something else, or breaks off.
    """
    fields = _fields(stream)
    current: Landing | None = None
    try:
        for field in fields:
            word = field.lstrip(b"\n")
            if word.startswith(b":") and current is not None:
                _, mode, _, oid, status = word.decode("ascii").split(" ")
                path = next(fields).decode("utf-8", "surrogateescape")
                current.changes.append(Landed(path, mode, oid, status == "A"))
                continue
            if current is not None:
                yield current
            commit, time, *parents = word.decode("ascii").split()
            current = Landing(commit, int(time), parents[0] if parents else "", [])
    except (ValueError, StopIteration) as error:
        raise GitError("the history can't be read", code="no-object") from error
    if current is not None:
        yield current


def payloads(process: subprocess.Popen[bytes], oids: Sequence[str]) -> Iterator[bytes]:
    """The bytes of blobs, in order, from a ``git cat-file --batch --buffer``.

    Raises:
        GitError: one is missing, damaged or no blob.
    """
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 (pipes)
    # Git answers while it is still being asked: both at once, or both wait for ever.
    asking = threading.Thread(target=_ask, args=(process.stdin, oids), daemon=True)
    asking.start()
    for oid in oids:
        words = process.stdout.readline().split()
        if len(words) != _WORDS or words[0].decode() != oid or words[1] != b"blob":
            raise GitError(f"the object {oid} is missing or damaged", code="no-object")
        size = int(words[2])
        payload = process.stdout.read(size + 1)[:-1]
        if object_id(b"blob", payload) != oid:
            raise GitError(f"the object {oid} is missing or damaged", code="no-object")
        yield payload
    asking.join()


def ask_for_all(log: IO[bytes], pipe: IO[bytes]) -> None:
    """Asks a ``git cat-file --batch --buffer`` for what each commit brought, as it comes from git.

    Each commit, its tree, then every folder and file that it changed; whatever goes wrong ends
    the asking: who reads the answers finds them missing.

    Args:
        log: the output of `LOG` with `-t`.
        pipe: where to ask.
    """
    with suppress(OSError, GitError), pipe:
        for landing in landings(log):
            oids = (change.oid for change in landing.changes if change.mode in _READ)
            tree = f"{landing.commit}^{{tree}}"
            pipe.write("".join(f"{oid}\n" for oid in (landing.commit, tree, *oids)).encode())


def _ask(pipe: IO[bytes], oids: Sequence[str]) -> None:
    with suppress(OSError), pipe:  # it has died: reading says so
        for at in range(0, len(oids), 1000):
            pipe.write(b"".join(oid.encode() + b"\n" for oid in oids[at : at + 1000]))
