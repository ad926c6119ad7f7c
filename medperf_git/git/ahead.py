r"""A history's objects before they are asked for: git packs them out while we judge.

Asking git for one object after the other costs more than to judge them. Here git sends them in
the order of the commits (`stream.ask_for_all`), and `Ahead` hands out those of the commit that
is looked at. It only saves time: each object is held against its id, and where anything is odd, or
too much, it gives up for good and the reader asks for itself.

Example:
    >>> from io import BytesIO
    >>> from medperf_git.git.objects import blob_id, object_id
    >>> stream = b"%s commit 4\nwhen\n" % (first := object_id(b"commit", b"when")).encode()
    >>> stream += b"%s blob 4\nwhat\n" % blob_id(b"what").encode()
    >>> ahead = Ahead(BytesIO(stream))
    >>> ahead.turn_to(first)
    >>> ahead.get(blob_id(b"what"))
    (b'blob', b'what')
"""

from __future__ import annotations

from typing import IO, Final

from medperf_git.git.objects import object_id

MOST_BYTES: Final = 16 * 1024 * 1024
"""More than that of one commit is not held; each object counts for a little more than its bytes."""
_OBJECT_COSTS: Final = 1024


class Ahead:
    """Objects in the form of ``git cat-file --batch``, each commit followed by what it brought."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream: IO[bytes] | None = stream
        self._next: tuple[str, bytes, int] | None = None
        self._found: dict[str, tuple[bytes, bytes]] = {}

    def get(self, oid: str) -> tuple[bytes, bytes] | None:
        """Kind and bytes of an object that came with the commit looked at; they fit the id."""
        return self._found.get(oid)

    def turn_to(self, commit: str) -> None:
        """Reads what a commit brought, if that is what comes next."""
        self._found = {}
        if self._next is None:
            self._next = self._header()
        left = MOST_BYTES
        while self._stream is not None and self._next is not None:
            oid, kind, size = self._next
            if (oid != commit) if not self._found else (kind == b"commit"):
                return
            left -= size + _OBJECT_COSTS
            payload = self._stream.read(size + 1)[:size] if left >= 0 else b""
            if left < 0 or object_id(kind, payload) != oid:
                self.stop()
                return
            self._found[oid] = kind, payload
            self._next = self._header()

    def _header(self) -> tuple[str, bytes, int] | None:
        words = self._stream.readline().split() if self._stream else []
        try:
            oid, kind, size = words
            return oid.decode(), kind, int(size)
        except ValueError:  # the end, or an object that is missing
            self.stop()
            return None

    def stop(self) -> None:
        """Reads nothing more."""
        self._stream = self._next = None
