"""``mpgit result``: look at results, and submit those that were measured here.

Example:
    $ mpgit result submit -b anna/preterm -d ky/opt
"""

from __future__ import annotations

import click

from medperf_git.analysis.results import ResultRow, results
from medperf_git.cli import app
from medperf_git.cli.records_view import SHOWN, add_reading
from medperf_git.cli.run_command import measured
from medperf_git.records.result import Result
from medperf_git.workflows.datasets import local_dataset, local_id, refuse_changed
from medperf_git.workflows.results import local_results, new_results, result_proposal


@click.group("result", no_args_is_help=True)
def command() -> None:
    """Results: look, submit."""


add_reading(command, "result", lambda _record: ())


@command.command("ls")
@click.option("--benchmark", "-b", metavar="ID", help="Only of this benchmark.")
@click.option("--local", is_flag=True, help="What was measured here, sent or not.")
@click.option("--all", "everything", is_flag=True, help="Also what no longer counts.")
@app.options(app.registry_option, app.json_option)
def ls(*, benchmark: str | None, local: bool, everything: bool, common: app.Common) -> None:
    """List results."""
    with common.session() as session:
        if local:
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
            return
        rows = [
            row
            for row in results(session.snapshot(), benchmark)
            if everything or row.state in SHOWN
        ]
        common.show(
            [row.as_dict() for row in rows],
            lambda: (
                app.table(
                    ("benchmark", "dataset", "model", "rev", "state", "metrics"),
                    [
                        (
                            row.result.benchmark.id,
                            row.result.dataset.id,
                            row.result.model.id,
                            row.result.revision,
                            _state(row),
                            _metrics(row.result),
                        )
                        for row in rows
                    ],
                )
                if rows
                else "no results yet"
            ),
        )


def _state(row: ResultRow) -> str:
    state = row.state + (", partial" if row.result.execution.partial else "")
    return f"{state}: {row.reason}" if row.reason else state


def _metrics(result: Result) -> str:
    return _line([m.model_dump(exclude_none=True) for m in result.metrics])


def _line(metrics: list[dict[str, object]]) -> str:
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
    with common.session() as session:
        name = local_id(dataset, session.participant)
        refuse_changed(local_dataset(session, dataset), thorough=thorough)
        found = local_results(session, benchmark, name)
        chosen = new_results([x for x in found if not models or x.data["model"]["id"] in models])
        proposal = result_proposal(session, chosen, session.signer(app.ask_passphrase))
        common.submit(session, proposal)
