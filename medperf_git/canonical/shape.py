r"""Documents of one shape: what differs from a document read before in its scalars alone.

A million results have a few shapes: the same keys at the same places. Once the strict reader has
read two documents of a shape, a third is known by it: its bytes are the shape's own but for the
scalars, and each scalar is its own canonical spelling. Then the bytes are what ``emit`` makes of
the data, for ``emit`` spells a document piece by piece. Whatever is odd is left to the strict
reader: a shape says "canonical, and this is the data", or nothing.

The data is handed out as JSON text, with keys in the order that the caller wants.

Example:
    >>> shapes = Shapes()
    >>> first, second, third = (b"# s\nid: a\nsize: %d\n" % size for size in (1, 2, 30))
    >>> shapes.learn(first, {"id": "a", "size": 1}), shapes.learn(second, {"size": 2, "id": "a"})
    (None, None)
    >>> shapes.read(third)
    '{"size":30,"id":"a"}'
    >>> shapes.read(b"# s\nid: a\nsize: 030\n")
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, TypeAlias

from medperf_git.canonical import scalars
from medperf_git.errors import CanonicalError

MAX_BYTES: Final = 16 * 1024
"""Longer documents are left to the strict reader, which also knows what is too long."""
MOST: Final = 256
"""How many shapes are kept, and how many are noted that were seen once."""

# A line's indentation, dashes and key, and the rest: its scalar, if it has one.
_LINE = re.compile(
    r'^((?: |- )*(?:(?:[A-Za-z][A-Za-z0-9_.-]*|"[^"\\\n]*"):(?: |$))?)(.*)$',
    re.ASCII | re.MULTILINE,
)
RECENT: Final = 8
"""How many shapes of one first line are tried before a document's lines are looked at."""
_EMPTY: Final = {"[]": "[]", "{}": "{}"}
_Outline: TypeAlias = tuple[str, ...]
_Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What documents of one outline share.

    Attributes:
        whole: what all of their bytes match; a group for each scalar.
        order: for each scalar of the JSON text which one of the document's it is.
        text: the JSON text, with places for the scalars at odd indices.
    """

    whole: re.Pattern[str]
    order: itemgetter[Any]
    text: list[str]


class Shapes:
    """The shapes of documents that the strict reader has read."""

    def __init__(self) -> None:
        self._known: dict[_Outline, _Shape] = {}
        self._once: dict[_Outline, None] = {}
        self._recent: dict[str, list[_Shape]] = {}

    def read(self, payload: bytes) -> str | None:
        """The data as JSON text where the bytes certainly are canonical; None leaves it open."""
        found = self._find(payload)
        if found is None:
            return None
        shape, tokens = found
        try:
            spelled = list(map(_json, tokens))
        except CanonicalError:
            return None
        text = shape.text.copy()
        text[1::2] = shape.order(spelled)
        return "".join(text)

    def _find(self, payload: bytes) -> tuple[_Shape, tuple[str, ...]] | None:
        """The shape of a document, and its scalars."""
        text = _text(payload)
        if text is None:
            return None
        head = text.partition("\n")[0]
        recent = self._recent.get(head, [])
        for at, shape in enumerate(recent):
            if fits := shape.whole.fullmatch(text):
                if at:  # a new list: another thread may read the old one
                    _keep(self._recent, head, [shape, *recent[:at], *recent[at + 1 :]])
                return shape, fits.groups()
        known = self._known.get(_split(text)[0])
        fits = known.whole.fullmatch(text) if known else None
        if known is None or fits is None:
            return None
        _keep(self._recent, head, [known, *recent][:RECENT])
        return known, fits.groups()

    def learn(self, payload: bytes, data: Mapping[str, Any]) -> None:
        """Notes a document that the strict reader has read; the second of a shape makes it known.

        Args:
            payload: its bytes; they are canonical.
            data: what they spell, with keys in the order that `read` is to give them.
        """
        text = _text(payload)
        if text is None:
            return
        outline, rest = _split(text)
        if outline in self._known:
            return
        if outline not in self._once:
            _keep(self._once, outline, None)
            return
        shape = _shape(outline, rest, data)
        if shape is not None:
            _keep(self._known, outline, shape)


def _keep(kept: dict[Any, Any], name: Any, what: Any) -> None:
    """Keeps one more; the oldest goes where there are too many."""
    if len(kept) >= MOST and name not in kept:
        kept.pop(next(iter(kept)), None)
    kept[name] = what


def _text(payload: bytes) -> str | None:
    """The document, if it is short enough and ends as all do."""
    if len(payload) > MAX_BYTES:
        return None
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return None
    return text if text.endswith("\n") and text.count("\n") > 1 else None


def _split(text: str) -> tuple[_Outline, _Outline]:
    """The document's outline, which is its first line and each line's beginning; and the rests.

    Together they are all of it.
    """
    head, _, body = text.partition("\n")
    begins, rests = zip(*_LINE.findall(body), strict=True)
    return (head, *begins), rests


@lru_cache(maxsize=16_384)
def _json(token: str) -> str:
    """A canonical scalar as JSON.

    Raises:
        CanonicalError: it is none.
    """
    if token in _EMPTY:
        return token
    value = scalars.read(token)
    if scalars.spell(value) != token:
        raise CanonicalError("another spelling")
    return json.dumps(value)


def _shape(outline: _Outline, rests: _Outline, data: Mapping[str, Any]) -> _Shape | None:
    """The shape of a document; None where its scalars are not just the lines' rests."""
    leaves = dict(_leaves(data, ordered=True))
    if [rest for rest in rests if rest] != [_token(leaf) for leaf in leaves.values()]:
        return None
    number = {path: at for at, path in enumerate(leaves)}
    order = [number[path] for path, _ in _leaves(data, ordered=False)]
    pieces = _pieces(data)
    head, *begins = (re.escape(part) for part in outline)
    # A scalar stands on a line of its own, or after its key: all of the rest, and nothing is
    # tried again (`++`).
    lines = [begin + ("(.++)" if rest else "") for begin, rest in zip(begins, rests, strict=True)]
    return _Shape(
        re.compile("\n".join([head, *lines])),
        # With a single index an itemgetter gives no tuple.
        itemgetter(*order) if len(order) > 1 else itemgetter(slice(None)),
        pieces,
    )


def _token(leaf: Any) -> str:
    if isinstance(leaf, dict | list | tuple):
        return "{}" if isinstance(leaf, dict) else "[]"
    return scalars.spell(leaf)


def _leaves(data: Any, path: _Path = (), *, ordered: bool) -> Iterator[tuple[_Path, Any]]:
    """Every scalar or empty collection, in the data's order or in that of canonical YAML."""
    if isinstance(data, Mapping) and data:
        for key in sorted(data) if ordered else data:
            yield from _leaves(data[key], (*path, key), ordered=ordered)
    elif isinstance(data, list | tuple) and data:
        for at, item in enumerate(data):
            yield from _leaves(item, (*path, at), ordered=ordered)
    else:
        yield path, data


def _pieces(data: Any) -> list[str]:
    """JSON text of the data, with a piece of its own for each leaf, at odd indices."""
    pieces = [""]
    _write(data, pieces)
    return pieces


def _write(data: Any, pieces: list[str]) -> None:
    if isinstance(data, Mapping) and data:
        for at, (key, value) in enumerate(data.items()):
            pieces[-1] += ("," if at else "{") + json.dumps(key) + ":"
            _write(value, pieces)
        pieces[-1] += "}"
    elif isinstance(data, list | tuple) and data:
        for at, item in enumerate(data):
            pieces[-1] += "," if at else "["
            _write(item, pieces)
        pieces[-1] += "]"
    else:
        pieces += ["", ""]
