"""The index's files: which tables there are, with their columns and types.

`FORMAT` changes whenever a column does: an index of another format is another cache.

Example:
    >>> COLUMNS["commits"]["commit"]
    'VARCHAR'
"""

from __future__ import annotations

from typing import Final

FORMAT: Final = 1

_SIGNATURES: Final = (
    'STRUCT("signer" VARCHAR, "key" VARCHAR, "public_key" VARCHAR, "blob" VARCHAR)[]'
)
_CAME: Final = {"commit": "VARCHAR", "position": "BIGINT", "time": "BIGINT"}
_RECORD: Final = {
    "path": "VARCHAR",
    "id": "VARCHAR",
    "revision": "INTEGER",
    "owner": "VARCHAR",
    "blob": "VARCHAR",
    "sha256": "VARCHAR",
    "signatures": _SIGNATURES,
    **_CAME,
    "fault": "VARCHAR",
    "record": "VARCHAR",
}


def _pin(name: str) -> dict[str, str]:
    return {name: "VARCHAR", f"{name}_revision": "INTEGER", f"{name}_sha256": "VARCHAR"}


COLUMNS: Final[dict[str, dict[str, str]]] = {
    "results": {
        **_pin("benchmark"),
        **_pin("dataset"),
        **_pin("model"),
        **_pin("dataset_association"),
        **_pin("model_association"),
        "cases": "BIGINT",
        "evaluated": "BIGINT",
        "failed": "BIGINT",
        "excluded": "BIGINT",
        "partial": "BOOLEAN",
        "engine": "VARCHAR",
        "engine_version": "VARCHAR",
        "client": "VARCHAR",
        "client_version": "VARCHAR",
        "finished": "VARCHAR",
        "registry_commit": "VARCHAR",
        "seconds": "DOUBLE",
        "metrics": (
            'STRUCT("id" VARCHAR, "value" DOUBLE, "low" DOUBLE, "high" DOUBLE, '
            '"standard_error" DOUBLE, "n" BIGINT)[]'
        ),
        **_RECORD,
    },
    "records": {
        "kind": "VARCHAR",
        "withdrawal": "BOOLEAN",
        "name": "VARCHAR",
        "refs": 'STRUCT("field" VARCHAR, "kind" VARCHAR, "id" VARCHAR, "revision" INTEGER)[]',
        **_RECORD,
    },
    "late": {"path": "VARCHAR", **_CAME, "signatures": _SIGNATURES},
    "commits": dict(_CAME),
}
"""Columns of each table, as they stand in the files.

`results`: one row a result; `records`: one row for any other record, and for every withdrawal;
`late`: signatures that came with a later commit than their record; `commits`: main.
"""

ORDER: Final = {
    # In the order that a walk through the tree has: `/` before anything that a name may hold.
    "results": "replace(path, '/', ' ')",
    "records": "replace(path, '/', ' ')",
    "late": "replace(path, '/', ' ')",
    "commits": "position",
}
"""What the rows of each file are sorted by: what is asked together stands together."""

SHARED_OUT_BY: Final = {
    "results": "benchmark",
    "records": "kind || ' ' || split_part(id, '/', 1)",
    "late": "split_part(path, '/', 3)",
    "commits": "position // 20000",
}
"""Where a table is too large for one file: rows with one value of this go into one."""
