r"""Reading YAML that people and containers write: drafts, site files, ``results.yaml``.

Ordinary YAML with comments, in any style, but one document, plain data, no aliases (a bomb
needs them), no tags, no duplicate keys, bounded size and depth. Never used on a record in a
registry: those are canonical (``document``).

Example:
    >>> read_yaml(b"metrics:  # what we measure\n- {id: auroc}\n", "benchmark.yaml")
    {'metrics': [{'id': 'auroc'}]}
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any, Final

import yaml

from medperf_git.canonical.scalars import MAX_INTEGER
from medperf_git.errors import InputError

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32
_MAX_DIGITS: Final = 400

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _PlainLoader(_Loader):  # type: ignore[misc]  # the C loader where PyYAML has it
    """SafeLoader without duplicate keys or dates."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 (PyYAML's signature)
        """Construct a mapping, refusing a key that stands twice."""
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            if isinstance(key, int) and abs(key) > MAX_INTEGER:
                # Python's hash of larger integers can be made to collide, in quadratic time.
                raise yaml.constructor.ConstructorError(
                    None, None, "an integer beyond ±(2^53-1) as a key", key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def _construct_number(loader: Any, node: Any) -> Any:
    """A number of bounded length; YAML 1.1's sexagesimal `12:30:45` stays text."""
    text = loader.construct_scalar(node)
    if ":" in text:
        return text
    if len(text) > _MAX_DIGITS:
        raise yaml.constructor.ConstructorError(
            None, None, f"a number of {len(text)} characters", node.start_mark
        )
    if node.tag.endswith(":int"):
        return loader.construct_yaml_int(node)
    return loader.construct_yaml_float(node)


_PlainLoader.add_constructor("tag:yaml.org,2002:int", _construct_number)
_PlainLoader.add_constructor("tag:yaml.org,2002:float", _construct_number)
# What JSON writers write and YAML 1.2 reads, but YAML 1.1 takes for text: 1e-05.
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+][0-9]+\Z", re.ASCII),
    list("-+0123456789"),
)
# A date typed without quotes stays the text that was typed.
_PlainLoader.add_constructor(
    "tag:yaml.org,2002:timestamp", yaml.constructor.SafeConstructor.construct_yaml_str
)


def read_yaml(payload: bytes, place: str, *, most_bytes: int = MAX_BYTES) -> Any:
    """The data that one ordinary YAML document holds.

    Args:
        payload: the file's bytes.
        place: the file's name, for messages.
        most_bytes: larger files are refused before they are parsed.

    Raises:
        InputError: too large, not UTF-8, not YAML, or outside the plain subset.
    """
    if len(payload) > most_bytes:
        raise InputError(
            f"{len(payload)} bytes; at most {most_bytes}", code="too-large", place=place
        )
    loader = None
    try:
        text = payload.decode("utf-8")
        _refuse_structure(text, place)
        loader = _PlainLoader(text)
        return loader.get_single_data()
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8: {error}", code="not-yaml", place=place) from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise _as_input_error(error, place) from error
    finally:
        if loader is not None:
            loader.dispose()


def _refuse_structure(text: str, place: str) -> None:
    """Refuse aliases, tags and deep nesting on the event stream, before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.events.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.events.CollectionEndEvent):
            depth -= 1
        tag = getattr(event, "tag", None)
        problem = None if tag is None else f"the tag {tag} is not allowed"
        if isinstance(event, yaml.events.AliasEvent):
            problem = "aliases are not allowed"
        if depth > MAX_DEPTH:
            problem = f"more than {MAX_DEPTH} levels deep"
        if problem:
            line = event.start_mark.line + 1 if event.start_mark else 1
            where = f"{place}, line {line}"
            raise InputError(f"not usable YAML: {problem}", code="not-yaml", place=where)


def _as_input_error(error: Exception, place: str) -> InputError:
    mark = getattr(error, "problem_mark", None)
    where = place if mark is None else f"{place}, line {mark.line + 1}, column {mark.column + 1}"
    message = getattr(error, "problem", None) or str(error)
    return InputError(f"not usable YAML: {message}", code="not-yaml", place=where)


def read_mapping(payload: bytes, place: str, *, most_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """As `read_yaml`, for a document that must be a mapping with text keys.

    Raises:
        InputError: as `read_yaml`, or the document is something else.
    """
    data = read_yaml(payload, place, most_bytes=most_bytes)
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise InputError("expected `key: value` lines", code="not-a-mapping", place=place)
    return data
