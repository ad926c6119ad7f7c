"""Records <-> bytes: canonical YAML, JSON Schema, then the typed model.

``decode`` accepts a file only if it is the one spelling of the one record that it holds.
Does not read files, resolve references or check signatures.

Example:
    >>> from medperf_git.records.withdrawal import Withdrawal
    >>> from medperf_git.records.base import Pin
    >>> record = Withdrawal(kind="withdrawal", id="ky/opt", revision=1, target_kind="dataset",
    ...     target=Pin(id="ky/opt", revision=1, sha256="0" * 64), reason="Consent was revoked.")
    >>> decode(encode(record, depth=4), "withdrawal", depth=4) == record
    True
"""

from __future__ import annotations

import json
import marshal
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import from_json

from medperf_git.canonical.document import HEADER, Document, emit, parse, scan
from medperf_git.canonical.shape import Shapes
from medperf_git.errors import CanonicalError, MpgitError, RecordError
from medperf_git.records.base import Record
from medperf_git.records.kinds import kind_named
from medperf_git.records.schema import schema_faults, schema_file

_SHAPES: Final = Shapes()
_PLAIN_MARSHAL: Final = 2
"""The form of `marshal` that spells equal data alike: without references to what came before."""
_NAMED = re.compile(r"^([a-z_][A-Za-z0-9_.-]*): ", re.ASCII)


def dump(record: Record) -> dict[str, Any]:
    """The record as plain data: defaults stand, absent options do not."""
    return record.model_dump(mode="json", exclude_none=True)


def encode(record: Record, *, depth: int) -> bytes:
    """The canonical bytes of a record.

    Args:
        record: any record.
        depth: how many folders its file is below the registry's top.

    Raises:
        CanonicalError: it holds what canonical YAML can't.
    """
    data = dump(record)
    return emit(Document(_reference(data["kind"], depth), data))


def _reference(kind: str, depth: int) -> str:
    return "../" * depth + "schemas/" + schema_file(kind)


def build(kind: str, data: Mapping[str, Any]) -> Record:
    """The typed record that plain data holds.

    Raises:
        RecordError: unknown kind, or not a record of it; the message lists every fault with
            its dotted field.
    """
    model = kind_named(kind).model
    try:
        # JSON mode reads sequences as tuples and stays strict about everything else.
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        faults = [_fault(detail, data) for detail in error.errors()]
        raise RecordError(
            "; ".join(faults[:20]),
            place=_place(error.errors()[0], data) or None,
            advice=f"the fields are described in docs/records.md, {kind}",
        ) from error
    except (ValueError, TypeError) as error:
        raise RecordError(f"not a {kind}: {error}") from error


def replace(record: Record, **changes: Any) -> Record:
    """A copy with fields changed, validated anew.

    Raises:
        RecordError: the result is no record of its kind.
    """
    copy = record.model_copy(update=changes)
    return build(getattr(record, "kind"), dump(copy))  # noqa: B009 (each kind declares its own)


def _dotted(location: tuple[int | str, ...], data: Any) -> str:
    """The field; where the data's `type` chose a form, pydantic names the type as well."""
    parts = []
    node = data
    for at, part in enumerate(location):
        if isinstance(node, Mapping) and part == node.get("type") and at + 1 < len(location):
            continue
        parts.append(str(part))
        inside = isinstance(node, Mapping | list | tuple)
        try:
            node = node[part] if inside else None
        except (KeyError, IndexError, TypeError):
            node = None
    return ".".join(parts)


def _place(detail: Any, data: Any) -> str:
    """The dotted field: a validator over several fields names its own at the message's start."""
    place = _dotted(detail["loc"], data)
    named = _NAMED.match(_message(detail))
    inner = named[1] if named and detail["type"] == "value_error" else ""
    # A before-validator of a whole mapping repeats the mapping's name.
    last = place.rpartition(".")[2]
    if last and (inner + ".").startswith(last + "."):
        inner = inner.removeprefix(last).removeprefix(".")
    return f"{place}.{inner}".strip(".")


def _message(detail: Any) -> str:
    return str(detail["msg"]).removeprefix("Value error, ")


def _fault(detail: Any, data: Any) -> str:
    message, place = _message(detail), _place(detail, data)
    if detail["type"] == "value_error":
        message = _NAMED.sub("", message)
    return f"{place}: {message}" if place else message


def decode(payload: bytes, kind: str, *, depth: int) -> Record:
    """The record that a file's bytes spell.

    Args:
        payload: the file's exact bytes.
        kind: the kind that its path says it has.
        depth: how many folders the file is below the registry's top.

    Raises:
        CanonicalError: the bytes are not canonical, or not this record's own spelling.
        RecordError: they are, but do not make a record of this kind.
    """
    if (record := _known(payload, kind, depth)) is not None:
        return record
    document = scan(payload)
    try:
        record = _record(document, kind, depth)
        # Bytes that `emit` makes are canonical: nearly always it need not run twice.
        same = encode(record, depth=depth) == payload
    except MpgitError:
        parse(payload)  # that bytes are not canonical is said first
        raise
    if not same:
        parse(payload)
        raise CanonicalError(
            "a number is spelled as an integer where the field holds a decimal (write 1.0), "
            "or a default is left out",
            code="not-the-records-spelling",
        )
    _SHAPES.learn(payload, dump(record))
    return record


def _known(payload: bytes, kind: str, depth: int) -> Record | None:
    """The record, where it has the shape of others and is good; None leaves it to the strict way.

    Every step is the strict way's own, but that the shape has read the bytes.
    """
    if not payload.startswith(f"{HEADER}{_reference(kind, depth)}\n".encode()):
        return None
    text = _SHAPES.read(payload)
    if text is None:
        return None
    data = from_json(text)
    if schema_faults(kind, data):
        return None
    try:
        record = kind_named(kind).model.model_validate_json(text)
    except ValidationError:
        return None
    # By type too (1 is not 1.0), and in one order: the shape's is the order of `dump`.
    same = marshal.dumps(dump(record), _PLAIN_MARSHAL) == marshal.dumps(data, _PLAIN_MARSHAL)
    return record if same else None


def _record(document: Document, kind: str, depth: int) -> Record:
    if document.schema != _reference(kind, depth):
        raise CanonicalError(
            f"the first line names {document.schema}, not {_reference(kind, depth)}",
            place="line 1",
        )
    if faults := schema_faults(kind, document.data):
        raise RecordError(
            "; ".join(f"{fault.field}: {fault.message}" for fault in faults[:20]),
            code="schema",
            place=faults[0].field,
            advice=f"see schemas/{schema_file(kind)}",
        )
    return build(kind, document.data)
