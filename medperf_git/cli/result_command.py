"""``mpgit result``: look at results, and submit those that were measured here.

Example:
    $ mpgit result submit -b anna/preterm -d ky/opt
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import click

from medperf_git.analysis.results import Shown, results
from medperf_git.analysis.selection import STATES, Condition, Selection
from medperf_git.cli import app
from medperf_git.cli.index_view import indexed, no_index_option
from medperf_git.cli.records_view import SHOWN, add_reading, measured
from medperf_git.errors import InputError
from medperf_git.index.query import results as indexed_results
from medperf_git.workflows.session import Session


@click.group("result", no_args_is_help=True)
def command() -> None:
    """Results: look, submit."""


add_reading(command, "result", lambda _record: ())


@command.command("ls")
@click.option("--benchmark", "-b", metavar="ID", help="Only of this benchmark.")
@click.option("--model", "-m", metavar="ID", help="Only of this model.")
@click.option("--dataset", "-d", metavar="ID", help="Only of this dataset.")
@click.option(
    "--state", "states", multiple=True, type=click.Choice(STATES), help="Only in this state."
)
@click.option(
    "--metric", "metrics", multiple=True, metavar="BOUND", help="Only with e.g. 'auroc>=0.8'."
)
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="The first N.")
@click.option("--local", is_flag=True, help="What was measured here, sent or not.")
@click.option("--all", "everything", is_flag=True, help="Also what no longer counts.")
@no_index_option
@app.options(app.registry_option, app.json_option)
def ls(
    *,
    benchmark: str | None,
    model: str | None,
    dataset: str | None,
    states: tuple[str, ...],
    metrics: tuple[str, ...],
    limit: int | None,
    local: bool,
    everything: bool,
    no_index: bool,
    common: app.Common,
) -> None:
    """List results."""
    usual = STATES if everything else SHOWN
    wanted = Selection(
        benchmark, model, dataset, states or usual, tuple(map(Condition.parse, metrics))
    )
    if local and (wanted != Selection(benchmark, states=usual) or limit is not None):
        raise InputError(
            "--local lists measurements, and takes --benchmark alone",
            advice="leave out the other filters, or --local",
        )
    with common.session() as session:
        if local:
            _show_local(common, session, benchmark)
            return
        with indexed(session, wanted=not no_index) as index:
            rows: Sequence[Shown]
            if index is not None:
                rows = indexed_results(index, wanted, limit, whole=common.as_json)
            else:
                found = results(session.snapshot(), benchmark)
                rows = list(islice(filter(wanted.holds, found), limit))
        common.show([row.as_dict() for row in rows] if common.as_json else [], lambda: _text(rows))


def _show_local(common: app.Common, session: Session, benchmark: str | None) -> None:
    # Start-up cost: what runs and sends takes longer to import than a listing takes in all.
    from medperf_git.workflows.results import local_results  # noqa: PLC0415

    found = list(local_results(session, benchmark))
    common.show(
        [{"state": x.state, "folder": str(x.folder), "record": x.data} for x in found],
        lambda: (
            app.table(
                ("state", "result", "metrics"),
                [(x.state, x.data["id"], _line(x.data["metrics"])) for x in found],
            )
            if found
            else "nothing was measured here yet: mpgit run"
        ),
    )


def _text(rows: Sequence[Shown]) -> str:
    if not rows:
        return "no results yet"
    return app.table(
        ("benchmark", "dataset", "model", "rev", "state", "metrics"),
        [
            (row.benchmark, row.dataset, row.model, row.revision, _state(row), _line(row.metrics))
            for row in rows
        ],
    )


def _state(row: Shown) -> str:
    state = row.state + (", partial" if row.partial else "")
    return f"{state}: {row.reason}" if row.reason else state


def _line(metrics: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{m['id']} {measured(m)}" for m in metrics)


@command.command("submit")
@app.benchmark_option
@app.dataset_option
@click.option("--model", "-m", "models", multiple=True, metavar="ID", help="Default: all new.")
@app.thorough_option
@app.options(app.registry_option, app.yes_option, app.merge_option, app.json_option)
def submit(
    *, benchmark: str, dataset: str, models: tuple[str, ...], thorough: bool, common: app.Common
) -> None:
    """Show the new results; after a yes, sign them and open a request with them."""
    # As in `_show_local`.
    from medperf_git.workflows.datasets import (  # noqa: PLC0415
        local_dataset,
        local_id,
        refuse_changed,
    )
    from medperf_git.workflows.results import (  # noqa: PLC0415
        local_results,
        new_results,
        result_proposal,
    )

    with common.session() as session:
        name = local_id(dataset, session.participant)
        refuse_changed(local_dataset(session, dataset), thorough=thorough)
        found = local_results(session, benchmark, name)
        chosen = new_results([x for x in found if not models or x.data["model"]["id"] in models])
        proposal = result_proposal(session, chosen, session.signer(app.ask_passphrase))
        common.submit(session, proposal)
