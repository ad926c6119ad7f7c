"""``mpgit leaderboard``: a benchmark's models, ordered.

Example:
    $ mpgit leaderboard anna/preterm
"""

from __future__ import annotations

import click

from medperf_git.analysis.leaderboard import Leaderboard, Line, leaderboard
from medperf_git.cli import app
from medperf_git.cli.index_view import indexed, no_index_option
from medperf_git.cli.records_view import measured
from medperf_git.index.query import leaderboard as indexed_leaderboard


@click.command("leaderboard")
@click.argument("benchmark")
@no_index_option
@app.options(app.registry_option, app.json_option)
def command(*, benchmark: str, no_index: bool, common: app.Common) -> None:
    """Order the models of BENCHMARK by the primary metric's mean over the datasets."""
    with common.session() as session:
        with indexed(session, wanted=not no_index) as index:
            board = (
                leaderboard(session.snapshot(), benchmark)
                if index is None
                else indexed_leaderboard(index, benchmark)
            )
        common.show(board.as_dict(), lambda: text(board))


def text(board: Leaderboard) -> str:
    """The leaderboard for people."""
    metric = board.metric
    head = f"{board.benchmark.name} ({board.benchmark.id}, revision {board.benchmark.revision})\n"
    better = {"higher": ", higher is better", "lower": ", lower is better", "none": ""}
    head += f"{metric.name}{better[metric.direction]}; {metric.confidence:.0%} intervals\n\n"
    if not board.lines:
        return head + "no results yet"
    rows = [_row(number, line, board) for number, line in enumerate(board.lines, start=1)]
    body = app.table(("", "model", "mean", *board.datasets, "cases"), rows)
    if any(line.partial for line in board.lines):
        body += "\n\n* partial: the model failed on some of the cases"
    note = f"\n\n{len(board.left_out)} results do not count: mpgit result ls --all"
    return head + body + (note if board.left_out else "")


def _row(number: int, line: Line, board: Leaderboard) -> tuple[object, ...]:
    values = [_value(line, name) for name in board.datasets]
    return (number, line.model, f"{line.mean:.3f}", *values, line.cases)


def _value(line: Line, dataset: str) -> str:
    if dataset not in line.values:
        return "–"
    text = measured(line.values[dataset].model_dump(exclude_none=True))
    return f"{text} *" if dataset in line.partial else text
