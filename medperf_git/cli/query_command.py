"""``mpgit query``: any question to the registry, in SQL.

Example:
    $ mpgit query "SELECT model, avg(primary_value) FROM results GROUP BY model"
"""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any

import click

from medperf_git.cli import app
from medperf_git.cli.index_view import opened
from medperf_git.errors import InputError
from medperf_git.index.duckdb_engine import Answer
from medperf_git.index.index import Index
from medperf_git.index.views import TABLES

_MOST = 1000
"""Rows of a table for people; `--json` and `--csv` show all."""


@click.command("query")
@click.argument("sql", metavar="SQL", required=False)
@click.option("--schema", is_flag=True, help="The tables and columns that SQL may name.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values.")
@app.options(app.registry_option, app.json_option)
def command(*, sql: str | None, schema: bool, as_csv: bool, common: app.Common) -> None:
    """Answer one question in SQL, from the index of what this client has audited.

    DuckDB's SQL. Nothing is changed, and no other file is read.
    """
    if (sql is None) != schema:
        raise InputError(
            "a question in SQL, or --schema",
            advice='mpgit query "SELECT state, count(*) FROM results GROUP BY state"',
        )
    if as_csv and common.as_json:
        raise InputError("--csv or --json, not both")
    with common.session() as session, opened(session) as index:
        index.lay_out()
        index.engine.close_doors(index.files)
        if schema:
            _show_schema(common, index)
            return
        answer = index.engine.ask(sql or "", None if common.as_json or as_csv else _MOST)
        if as_csv:
            click.echo(_csv(answer), nl=False)
            return
        names = _different(answer.columns)
        common.show(
            [dict(zip(names, map(_plain, row), strict=True)) for row in answer.rows]
            if common.as_json
            else [],
            lambda: _text(answer),
        )


def _show_schema(common: app.Common, index: Index) -> None:
    tables = {
        name: {str(row[0]): str(row[1]) for row in index.engine.ask(f"DESCRIBE {name}").rows}
        for name in TABLES
    }
    common.show(
        [{"table": name, "about": TABLES[name], "columns": tables[name]} for name in TABLES],
        lambda: "\n\n".join(
            f"{name}: {TABLES[name]}\n"
            + app.table(("column", "type"), [(f"  {c}", t) for c, t in tables[name].items()])
            for name in TABLES
        ),
    )


def _text(answer: Answer) -> str:
    if not answer.rows:
        return "no rows"
    rows = [[_cell(value) for value in row] for row in answer.rows]
    more = f"\n\nthe first {_MOST} rows; --json and --csv show all" if answer.more else ""
    return app.table(answer.columns, rows) + more


def _csv(answer: Answer) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([["" if x is None else _cell(x) for x in row] for row in answer.rows])
    return text.getvalue()


def _cell(value: Any) -> str:
    """A value for people: what is nested as JSON, nothing as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict | tuple | bytes):
        return json.dumps(_plain(value), ensure_ascii=False)
    return str(value)


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    # JSON has no word for what is no number.
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):  # noqa: PLR0124
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _different(columns: tuple[str, ...]) -> list[str]:
    """Names for a mapping: a second column of one name gets a number, so that none is lost."""
    found: list[str] = []
    for name in columns:
        number, candidate = 1, name
        while candidate in found:
            number += 1
            candidate = f"{name}_{number}"
        found.append(candidate)
    return found
