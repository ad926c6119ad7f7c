"""Reading YAML that people and containers write: drafts, site files, ``results.yaml``.

Ordinary YAML with comments, in any style, but one document, plain data, no aliases (a bomb
needs them), no tags, no duplicate keys, bounded size and depth. Never used on a record in a
registry: those are canonical (``document``).

Example:
    >>> read_yaml(b"metrics:  # what we measure\\n- {id: auroc}\\n", "benchmark.yaml")
    {'metrics': [{'id': 'auroc'}]}
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

import yaml

from medperf_git.errors import InputError

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32

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
            if isinstance(key, Hashable):
                seen.add(key)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping


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
    """Refuse aliases and deep nesting on the event stream, before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.events.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.events.CollectionEndEvent):
            depth -= 1
        problem = "aliases are not allowed" if isinstance(event, yaml.events.AliasEvent) else None
        if depth > MAX_DEPTH:
            problem = f"more than {MAX_DEPTH} levels deep"
        if problem:
            where = f"{place}, line {event.start_mark.line + 1}"
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
