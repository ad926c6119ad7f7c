"""The index as partitioned Parquet, for engines on more machines than one.

`results` and `metrics` stand in a folder a benchmark, `records` in a folder a kind: the layout
that Spark, BigQuery, pandas and others know as Hive's. Beside them, `registry.json` says of which
registry and commit they are and what was verified. All of it is there, or nothing.

Example::

    export(index, Path("parquet"), {"verified": "…"})
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from medperf_git.atomic import explain, sync_folder, write_bytes
from medperf_git.errors import InputError
from medperf_git.index.duckdb_engine import SORTED, quoted
from medperf_git.index.index import Index

LAYOUT: Final[dict[str, str]] = {"results": "benchmark", "metrics": "benchmark", "records": "kind"}
"""The tables that are written, each with what it is partitioned by."""
_VERIFICATION: Final = "verification"
_AUDITED: Final = "audited"
_README: Final = """# A registry as Parquet

Written by `mpgit export parquet` from the records of one registry at one commit; `registry.json`
names both, and says what was verified before. A copy for analysis: the registry itself, with its
signatures, is the Git repository.

- `results/benchmark=…/`: one row a result
- `metrics/benchmark=…/`: one row a metric of a result
- `records/kind=…/`: one row a record of any other kind; `record` is all of it, as JSON

`benchmark` and `kind` stand in the folders' names alone, as Hive does it, with `%2F` for the `/` of
an id: readers that know the layout give the column back. `path`, `blob`
and `commit` say where a row comes from: `git cat-file blob BLOB` shows the record, and
`git log -1 COMMIT` how it came.
"""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: where.
        rows: how many rows of each table.
    """

    folder: Path
    rows: dict[str, int]


def export(index: Index, folder: Path, about: Mapping[str, Any]) -> Exported:
    """Writes the index's tables; the folder must not exist, or be empty.

    Args:
        index: laid out.
        folder: where to.
        about: what `registry.json` says of what was verified, beside identity and commit.

    Raises:
        InputError: there is something in the folder, or it can't be written.
        CacheError: the index can't be read.
    """
    folder = folder.absolute()
    _refuse_full(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise explain(error, folder) from error
    try:
        rows = _write(index, beside, about)
        _refuse_full(folder)
        beside.chmod(0o755)
        # Takes the place of an empty folder in one step; of a full one never.
        beside.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise explain(error, folder) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Exported(folder, rows)


def _refuse_full(folder: Path) -> None:
    try:
        full = next(folder.iterdir(), None) is not None
    except FileNotFoundError:
        return
    except NotADirectoryError:
        full = True
    if full:
        raise InputError(
            "there is something already, and nothing is overwritten",
            code="folder-not-empty",
            place=str(folder),
            advice="name a new folder",
        )


def _write(index: Index, folder: Path, about: Mapping[str, Any]) -> dict[str, int]:
    rows = {}
    for table, by in LAYOUT.items():
        more = "" if table == "metrics" else " REPLACE (record::VARCHAR AS record)"
        # Results are exported by themselves, with more columns.
        source = f"{table}" + (" WHERE kind <> 'result'" if table == "records" else "")
        columns = f"*{more}, {quoted(_AUDITED)} AS {_VERIFICATION}"
        rows[table] = 0
        for where, count in index.engine.shares(f"(FROM {source})", by):
            order = f"ORDER BY {by}, path" if count <= SORTED else ""
            select = f"SELECT {columns} FROM (FROM {source}) WHERE {where} {order}"
            index.engine.copy_parts(select, folder / table, by)
            rows[table] += count
    data = {
        "identity": index.manifest.identity,
        "commit": index.manifest.commit,
        "commits": index.manifest.commits,
        "mpgit": index.manifest.mpgit,
        "rows": rows,
        "partitioned_by": LAYOUT,
        **about,
    }
    write_bytes(folder / "registry.json", (json.dumps(data, indent=2) + "\n").encode(), 0o644)
    write_bytes(folder / "README.md", _README.encode(), 0o644)
    return rows
