"""DuckDB, held short: files of rows in and out, questions, and SQL that somebody typed.

The only importer of DuckDB. In memory alone: what lasts is the Parquet files that it is pointed
at. Knows nothing of records.

Example:
    >>> with Engine() as engine:
    ...     engine.rows("SELECT 6 * ? AS answer", [7])
    [(42,)]
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

# Start-up cost: the package `duckdb` spends 0.15 s on wrappers that nothing here uses.
import _duckdb as duckdb

from medperf_git.errors import CacheError, InputError

_MEMORY: Final = "320MB"
_MEMORY_FOR_PEOPLE: Final = "1GB"
_ROW_GROUP: Final = 20_480
"""Rows that are read together: a benchmark of a large registry has about two thousand results."""
_PARQUET: Final = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP}"
SORTED: Final = 25_000
"""Rows that are sorted together: more would not fit into the memory that we allow ourselves."""
_LONGEST_ROW: Final = 4 * 1024 * 1024
_ONE: Final = "one question at a time: a single SELECT (or WITH, FROM, DESCRIBE, SUMMARIZE)"


@dataclass(frozen=True)
class Answer:
    """What a question brought.

    Attributes:
        columns: the columns' names.
        types: their types, as DuckDB names them.
        rows: the rows.
        more: whether rows were left out.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    more: bool = False


def quoted(text: str | Path) -> str:
    """A text as SQL spells it."""
    return "'" + str(text).replace("'", "''") + "'"


class Engine:
    """One DuckDB in memory."""

    def __init__(self, memory: str = _MEMORY, threads: int = 0, spill: Path | None = None) -> None:
        """Opens it.

        Args:
            memory: what it may take.
            threads: how many threads it may use; 0 for as many as there are processors.
            spill: where it may put what memory does not hold; nowhere else.
        """
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": memory,
                "threads": str(threads or os.cpu_count() or 1),
                "temp_directory": str(spill) if spill else "",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of everything."""
        self._connection.close()

    # --- our own questions -----------------------------------------------------------------

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Runs a statement of ours.

        Raises:
            CacheError: it fails: a file is not what it should be, or there is no room.
        """
        self.rows(sql, values)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a statement of ours brings.

        Raises:
            CacheError: it fails.
        """
        try:
            found: list[tuple[Any, ...]] = self._connection.execute(sql, list(values)).fetchall()
        except duckdb.Error as error:
            raise CacheError(f"the index can't be read: {_first_line(error)}") from error
        return found

    # --- files -----------------------------------------------------------------------------

    def write_lines(
        self, source: Path, columns: Mapping[str, str], order: str, target: Path
    ) -> None:
        """Makes a Parquet file of a file with one JSON object a line.

        Raises:
            CacheError: it can't be done.
        """
        types = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in columns.items())
        self._copy(
            f"SELECT * FROM read_json({quoted(source)}, format = 'newline_delimited', "
            f"columns = {{{types}}}, maximum_object_size = {_LONGEST_ROW}) ORDER BY {order}",
            target,
        )

    def merge(
        self, sources: Sequence[Path], target: Path, *, order: str | None, where: str = "true"
    ) -> None:
        """Makes one Parquet file of several with the same columns.

        Args:
            sources: the files.
            target: the new one.
            order: what its rows are sorted by; None as they come, which takes no memory.
            where: which rows.

        Raises:
            CacheError: it can't be done.
        """
        sort = f" ORDER BY {order}" if order else ""
        self._copy(f"SELECT * FROM {parquet(sources)} WHERE {where}{sort}", target)

    def _copy(self, select: str, target: Path) -> None:
        self.run(f"COPY ({select}) TO {quoted(target)} ({_PARQUET})")

    def shares(self, source: str, column: str, most: int = SORTED) -> Iterator[tuple[str, int]]:
        """Conditions that share out the rows of a table, each with how many rows meet it.

        Args:
            source: the table, in SQL.
            column: rows with one value of this go together, however many they are.
            most: how many rows the values of one share have in all.

        Raises:
            CacheError: it can't be read.
        """
        ranges: list[tuple[Any, Any, int]] = []
        counted = self.rows(f"SELECT {column}, count(*) FROM {source} GROUP BY ALL ORDER BY 1")
        for value, count in counted:
            low, _, rows = ranges[-1] if ranges else (value, value, 0)
            if ranges and rows + count <= most:
                ranges[-1] = (low, value, rows + count)
            else:
                ranges.append((value, value, count))
        for low, high, rows in ranges:
            yield f"{column} BETWEEN {quoted(low)} AND {quoted(high)}", rows

    def copy_parts(self, select: str, folder: Path, by: str) -> None:
        """Writes a question's rows as Parquet files in folders named `by=value`.

        A folder takes the parts of several questions, as long as no value comes twice. The value
        stands in the folder's name alone: pyarrow refuses files that repeat it.

        Raises:
            CacheError: it can't be done.
        """
        self.run(
            f"COPY ({select}) TO {quoted(folder)} (FORMAT parquet, COMPRESSION zstd, "
            f"PARTITION_BY ({by}), OVERWRITE_OR_IGNORE true)"
        )

    # --- what somebody typed ---------------------------------------------------------------

    def close_doors(self, files: Sequence[Path]) -> None:
        """From here on only these files are read, nothing is loaded, and no setting moves."""
        names = ", ".join(quoted(file) for file in files)
        self.run(f"SET allowed_paths = [{names}]")
        self.run(f"SET memory_limit = '{_MEMORY_FOR_PEOPLE}'")
        self.run("SET enable_external_access = false")
        self.run("SET lock_configuration = true")

    def ask(self, sql: str, most: int | None = None) -> Answer:
        """The answer to SQL that somebody typed; close the doors first.

        Args:
            sql: one question.
            most: how many rows; None for all.

        Raises:
            InputError: no question, more than one, or one that can't be answered.
        """
        try:
            statements = self._connection.extract_statements(sql)
            if [each.type for each in statements] != [duckdb.StatementType.SELECT]:
                raise InputError(
                    "the index answers questions and changes nothing",
                    code="not-a-question",
                    place="the SQL",
                    advice=_ONE,
                )
            done = self._connection.execute(sql)
            described = done.description or []
            rows = done.fetchall() if most is None else done.fetchmany(most + 1)
        except duckdb.Error as error:
            raise _refusal(error) from error
        more = most is not None and len(rows) > most
        return Answer(
            tuple(column[0] for column in described),
            tuple(str(column[1]) for column in described),
            rows[:most] if more else rows,
            more,
        )


def parquet(files: Sequence[Path]) -> str:
    """Files as a table in SQL."""
    return f"read_parquet([{', '.join(quoted(file) for file in files)}])"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def _refusal(error: Exception) -> InputError:
    """The error that a person can act on, for SQL that DuckDB refuses."""
    said = str(error).strip()
    head, _, rest = said.partition("\n\n")
    message = re.sub(r"^\w+(?: \w+)? Error: ", "", head.split("\n")[0])
    # Marks below the line would stand elsewhere than where they point to.
    place = re.sub(r"\s*\n\s*\^+\s*$", "", rest).strip() or "the SQL"
    advice = "`mpgit query --schema` lists tables and columns"
    candidates = re.search(r"Candidate (?:bindings|tables): (.+)|Did you mean (\".+?\")", said)
    if candidates:
        near = (candidates[1] or candidates[2]).strip()
        advice = f"did you mean {near}? {advice}"
    code = "bad-sql"
    if isinstance(error, duckdb.PermissionException):
        code, advice = "not-allowed", "a query reads the index alone: no other file, no network"
    elif isinstance(error, duckdb.OutOfMemoryException):
        code = "too-much"
        advice = "ask for fewer columns or rows, or `mpgit export parquet DIR` for another engine"
    return InputError(message, code=code, place=place, advice=advice)
