"""Canonical YAML documents: ``emit`` and its strict inverse ``parse``.

One document has one spelling: a first line that names its schema, block style, keys in
code-point order, two spaces a level, scalars as in ``scalars``. ``parse`` accepts bytes only
if ``emit(parse(bytes)) == bytes``. The parser reads this subset and nothing else, line by
line and in linear time: no anchors, aliases, tags or directives exist in it, so there is
nothing to switch off. Does not read people's YAML (``draft`` does) and does not know records.

Example:
    >>> document = Document("../../schemas/root.json", {"revision": 1, "name": "No fear"})
    >>> print(emit(document).decode(), end="")
    # yaml-language-server: $schema=../../schemas/root.json
    name: No fear
    revision: 1
    >>> parse(emit(document)) == document
    True
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from medperf_git.canonical import scalars
from medperf_git.errors import CanonicalError

MAX_BYTES: Final = 256 * 1024
MAX_LINES: Final = 8192
"""Lines, and nested list items that share one: they bound the time that reading takes."""
MAX_DEPTH: Final = 32
MAX_KEY: Final = 1000
"""Characters of a key as spelled: YAML readers need its colon within 1024."""
HEADER: Final = "# yaml-language-server: $schema="

_SCHEMA = re.compile(r"[A-Za-z0-9_./-]{1,200}", re.ASCII)
_PLAIN_KEY = re.compile(r"([A-Za-z][^:]*(?::(?! |$)[^:]*)*):(?: |$)")
_QUOTED_KEY = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*"):(?: |$)')
_STEP = 2


@dataclass(frozen=True, slots=True)
class Document:
    """A schema reference and the mapping that the document holds."""

    schema: str
    data: dict[str, Any]


def emit(document: Document) -> bytes:
    """The canonical bytes of a document.

    Raises:
        CanonicalError: the data can't be held (null, a non-string key, NaN, too deep …).
    """
    if not _SCHEMA.fullmatch(document.schema):
        raise CanonicalError(f"not a schema reference: {document.schema[:60]!r}")
    if not document.data:
        raise CanonicalError("an empty document")
    return _emit([HEADER + document.schema], document.data)


def emit_mapping(data: dict[str, Any]) -> bytes:
    r"""The canonical bytes of a mapping that is no record: without a schema's line.

    Raises:
        CanonicalError: the data can't be held.

    Example:
        >>> emit_mapping({"threshold": 0.5, "lead": "V1"})
        b'lead: V1\nthreshold: 0.5\n'
        >>> emit_mapping({})
        b'{}\n'
    """
    return _emit([], data) if data else b"{}\n"


def _emit(lines: list[str], data: dict[str, Any]) -> bytes:
    _emit_mapping(data, 0, 1, lines)
    payload = ("\n".join(lines) + "\n").encode()
    _refuse_size(payload, len(lines))
    return payload


def _refuse_size(payload: bytes, lines: int) -> None:
    if len(payload) > MAX_BYTES:
        raise CanonicalError(f"{len(payload)} bytes; at most {MAX_BYTES}", code="too-large")
    lines += payload.count(b"- - ")
    if lines > MAX_LINES:
        raise CanonicalError(f"{lines} lines; at most {MAX_LINES}", code="too-large")


def _emit_mapping(data: dict[str, Any], indent: int, depth: int, lines: list[str]) -> None:
    _refuse_depth(depth)
    for key in data:
        if not isinstance(key, str):
            raise CanonicalError(f"a key that is not a string but {type(key).__name__}")
    for key in sorted(data):
        spelled = scalars.spell_text(key)
        if len(spelled) > MAX_KEY:
            raise CanonicalError(f"a key of {len(spelled)} characters; at most {MAX_KEY}")
        _emit_entry(spelled + ":", data[key], indent, depth, lines)


def _emit_entry(lead: str, value: Any, indent: int, depth: int, lines: list[str]) -> None:
    pad = " " * indent
    if isinstance(value, dict) and value:
        lines.append(pad + lead)
        _emit_mapping(value, indent + _STEP, depth + 1, lines)
    elif isinstance(value, list | tuple) and value:
        lines.append(pad + lead)
        _emit_sequence(value, indent + _STEP, depth + 1, lines)
    else:
        lines.append(f"{pad}{lead} {_inline(value)}")


def _emit_sequence(
    items: list[Any] | tuple[Any, ...], indent: int, depth: int, lines: list[str]
) -> None:
    _refuse_depth(depth)
    for item in items:
        if isinstance(item, dict | list | tuple) and item:
            first = len(lines)
            if isinstance(item, dict):
                _emit_mapping(item, indent + _STEP, depth + 1, lines)
            else:
                _emit_sequence(item, indent + _STEP, depth + 1, lines)
            # The dash takes the place of the first line's last two spaces.
            lines[first] = " " * indent + "- " + lines[first][indent + _STEP :]
        else:
            lines.append(" " * indent + "- " + _inline(item))


def _inline(value: Any) -> str:
    if isinstance(value, str | bool | int | float):
        return scalars.spell(value)
    if isinstance(value, dict | list | tuple):  # an empty one: the others have lines
        return "{}" if isinstance(value, dict) else "[]"
    raise CanonicalError(f"{type(value).__name__} can't stand in a record")


def _refuse_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise CanonicalError(f"more than {MAX_DEPTH} levels deep", code="too-deep")


def parse(payload: bytes) -> Document:
    """The document that canonical bytes spell.

    Raises:
        CanonicalError: the bytes are not the canonical spelling of any document; `place`
            is the line.
    """
    document = scan(payload)
    again = emit(document)
    if again != payload:
        raise _first_difference(payload, again)
    return document


def scan(payload: bytes) -> Document:
    """As `parse`, but the bytes may be a second spelling: the caller must hold them against `emit`.

    Raises:
        CanonicalError: the bytes spell nothing that the parser reads.
    """
    return _Parser(_lines_of(payload)).document()


def _lines_of(payload: bytes) -> list[str]:
    if len(payload) > MAX_BYTES:
        raise CanonicalError(f"{len(payload)} bytes; at most {MAX_BYTES}", code="too-large")
    if payload.startswith(b"\xef\xbb\xbf"):
        raise CanonicalError("begins with a byte order mark", place="line 1")
    if b"\r" in payload:
        line = payload[: payload.index(b"\r")].count(b"\n") + 1
        raise CanonicalError("a carriage return; lines end in LF alone", place=f"line {line}")
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        line = payload[: error.start].count(b"\n") + 1
        raise CanonicalError(f"not UTF-8: {error.reason}", place=f"line {line}") from error
    lines = text.split("\n")
    if lines[-1] != "":
        raise CanonicalError("the last line does not end in a newline", place=f"line {len(lines)}")
    lines.pop()
    _refuse_size(payload, len(lines))
    return lines


def _first_difference(payload: bytes, again: bytes) -> CanonicalError:
    found, wanted = payload.decode().split("\n"), again.decode().split("\n")
    for number, (left, right) in enumerate(zip(found, wanted, strict=False), start=1):
        if left != right:
            return CanonicalError(
                f"found {left[:60]!r} where canonical YAML has {right[:60]!r}",
                place=f"line {number}",
                advice="keys stand in code-point order, each scalar in its one spelling",
            )
    return CanonicalError("lines beyond the end of the document", place=f"line {len(wanted)}")


class _Parser:
    """Recursive descent over lines; `at` is the next line not yet read."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0

    def document(self) -> Document:
        if not self.lines or not self.lines[0].startswith(HEADER):
            raise CanonicalError(f"the first line must be `{HEADER}…`", place="line 1")
        schema = self.lines[0].removeprefix(HEADER)
        if not _SCHEMA.fullmatch(schema):
            raise CanonicalError(f"not a schema reference: {schema[:60]!r}", place="line 1")
        self.at = 1
        data = self.mapping(0, 1) if len(self.lines) > 1 else {}
        if self.at != len(self.lines) or not data:
            raise self.error("expected `key: value` at this indentation")
        return Document(schema, data)

    def error(self, message: str) -> CanonicalError:
        line = self.lines[self.at] if self.at < len(self.lines) else ""
        return CanonicalError(f"{message}; found {line[:60]!r}", place=f"line {self.at + 1}")

    def here(self, indent: int) -> str | None:
        """The next line's content if it stands at exactly this indentation."""
        if self.at >= len(self.lines):
            return None
        line = self.lines[self.at]
        content = line[indent:]
        if not content or content[0] == " " or not line.startswith(" " * indent):
            return None
        return content

    def mapping(self, indent: int, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        while (content := self.here(indent)) is not None:
            match = _PLAIN_KEY.match(content) or _QUOTED_KEY.match(content)
            if match is None:
                if not data:
                    raise self.error("expected `key: value`")
                break
            key = self.scalar(match[1])
            if not isinstance(key, str):
                raise self.error("a key must be a string")
            if key in data:
                raise self.error(f"the key {key[:60]!r} stands twice")
            data[key] = self.value(content[match.end() :], indent, depth)
        return data

    def value(self, rest: str, indent: int, depth: int) -> Any:
        if rest:
            return self.leaf(rest)
        self.at += 1
        return self.block(indent + _STEP, depth + 1)

    def block(self, indent: int, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise CanonicalError(
                f"more than {MAX_DEPTH} levels deep", code="too-deep", place=f"line {self.at + 1}"
            )
        content = self.here(indent)
        if content is None:
            raise self.error(f"expected a value, {indent} spaces in")
        return (
            self.sequence(indent, depth)
            if content.startswith("- ")
            else self.mapping(indent, depth)
        )

    def sequence(self, indent: int, depth: int) -> list[Any]:
        items: list[Any] = []
        while (content := self.here(indent)) is not None and content.startswith("- "):
            rest = content[_STEP:]
            nested = rest.startswith("- ") or _PLAIN_KEY.match(rest) or _QUOTED_KEY.match(rest)
            if nested:
                # Read the item as a block whose first line starts behind the dash.
                self.lines[self.at] = " " * (indent + _STEP) + rest
                items.append(self.block(indent + _STEP, depth + 1))
            else:
                items.append(self.leaf(rest))
        return items

    def leaf(self, token: str) -> Any:
        empty: dict[str, Any] = {"[]": [], "{}": {}}
        value = empty[token] if token in empty else self.scalar(token)
        self.at += 1
        return value

    def scalar(self, token: str) -> scalars.Scalar:
        try:
            return scalars.read(token)
        except CanonicalError as error:
            error.place = f"line {self.at + 1}"
            raise
