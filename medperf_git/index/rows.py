"""A record as a row of the index: typed columns, and the whole of it as JSON.

Pure: bytes come in, plain data goes out. What can't be read becomes a row that says so. The
columns and their types stand in ``tables``.

Example:
    >>> table, row = row_of(Incoming("registry/datasets/ky/opt/1.yaml", "0" * 40, "c" * 40, 3, 7,
    ...     ()), b"no record", {})
    >>> table, row["kind"], row["id"], row["fault"].split(":")[0]
    ('records', 'dataset', 'ky/opt', 'line 1')
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from medperf_git.canonical.digest import sha256_hex
from medperf_git.errors import MpgitError, TrustError
from medperf_git.index.changes import Incoming
from medperf_git.records.base import Record
from medperf_git.records.codec import decode
from medperf_git.records.result import Result
from medperf_git.store.paths import Place, locate
from medperf_git.trust.sshsig import Signature

Row = dict[str, Any]
_PINS: Final = ("benchmark", "dataset", "model", "dataset_association", "model_association")


def row_of(
    came: Incoming, payload: bytes | None, signatures: Mapping[str, bytes]
) -> tuple[str, Row]:
    """The table that a record belongs to, and its row.

    Args:
        came: what the commit added.
        payload: the record's bytes; None where only signatures came.
        signatures: the bytes of the signatures' blobs.

    Returns:
        `results`, `records` or `late` (signatures that came after their record), and the row.
    """
    place = locate(came.path)
    assert isinstance(place, Place)  # noqa: S101 (`incoming` yields nothing else)
    row: Row = {
        "path": came.path,
        "commit": came.commit,
        "position": came.position,
        "time": came.time,
        "signatures": [
            {
                "signer": s.signer,
                "key": s.key,
                "blob": s.blob,
                "public_key": _key(signatures[s.blob]),
            }
            for s in came.signatures
        ],
    }
    if payload is None:
        return "late", row
    row |= {"id": place.id, "revision": place.revision, "blob": came.blob}
    row["sha256"] = sha256_hex(payload)
    record: Record | None = None
    try:
        record = decode(payload, place.record_kind, depth=place.depth)
        row["record"] = record.model_dump_json(exclude_none=True)
        row["owner"] = record.owner
    except MpgitError as error:
        row["fault"] = f"{error.place}: {error.message}" if error.place else error.message
    if place.kind == "result" and not place.withdrawn:
        parts = place.id.split("/")
        # What an unreadable result is of stands in its path.
        row |= {name: "/".join(parts[at : at + 2]) for name, at in _PARTS.items()}
        return "results", row | (_result(record) if isinstance(record, Result) else {})
    row |= {"kind": place.kind, "withdrawal": place.withdrawn}
    row["name"] = getattr(record, "name", None)
    row["refs"] = [
        {"field": r.field, "kind": r.kind, "id": r.pin.id, "revision": r.pin.revision}
        for r in (record.references() if record else ())
    ]
    return "records", row


_PARTS: Final = {"benchmark": 0, "dataset": 2, "model": 4}


def _key(payload: bytes) -> str | None:
    """The public key that a signature names; None where it can't be read."""
    try:
        return Signature.parse(payload).key.text
    except TrustError:
        return None


def _result(record: Result) -> Row:
    row: Row = {}
    for name in _PINS:
        pin = getattr(record, name)
        if pin is not None:
            row[name] = pin.id
            row[f"{name}_revision"] = pin.revision
            row[f"{name}_sha256"] = pin.sha256
    counts, ran = record.denominator, record.execution
    return row | {
        "cases": counts.cases,
        "evaluated": counts.evaluated,
        "failed": counts.failed,
        "excluded": counts.excluded,
        "partial": ran.partial,
        "engine": ran.engine.name,
        "engine_version": ran.engine.version,
        "client": ran.client.name,
        "client_version": ran.client.version,
        "finished": ran.finished,
        "registry_commit": ran.registry_commit,
        "seconds": sum(step.seconds for step in ran.steps),
        "metrics": [
            {
                "id": m.id,
                "value": m.value,
                "low": m.low,
                "high": m.high,
                "standard_error": m.standard_error,
                "n": m.n,
            }
            for m in record.metrics
        ],
    }
