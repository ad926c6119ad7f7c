"""``mpgit run``: run a benchmark's models on a dataset, here.

Example:
    $ mpgit run -b anna/preterm -d ky/opt --jobs 4
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from medperf_git.cli import app
from medperf_git.cli.main import particulars
from medperf_git.cli.records_view import measured
from medperf_git.cli.run_view import run_view
from medperf_git.cli.workplace import capacity_of, capacity_options, workplace_of
from medperf_git.workflows import schedule
from medperf_git.workflows.datasets import local_dataset, local_id
from medperf_git.workflows.execute import Outcome
from medperf_git.workflows.forecast import Forecast, forecast
from medperf_git.workflows.plan import plan


@click.command("run")
@app.benchmark_option
@app.dataset_option
@click.option("--model", "-m", "models", multiple=True, metavar="ID", help="May be given again.")
@capacity_options
@click.option(
    "--retry",
    type=click.IntRange(0, 100),
    default=0,
    show_default=True,
    help="How often a model that failed is tried again.",
)
@click.option(
    "--ignore-case-errors",
    is_flag=True,
    help="A model that fails counts for the cases that it has predicted; its result is partial.",
)
@app.thorough_option
@click.option("--dry-run", is_flag=True, help="Only say what would run, and what it needs.")
@app.options(app.engine_option, app.artefacts_option, app.registry_option, app.json_option)
def command(
    *,
    benchmark: str,
    dataset: str,
    models: tuple[str, ...],
    jobs: int | None,
    memory_mb: int | None,
    gpus: str | None,
    retry: int,
    ignore_case_errors: bool,
    thorough: bool,
    dry_run: bool,
    common: app.Common,
) -> int:
    """Run every associated model, by the committee's priority; nothing leaves this machine.

    Needs no network. Models run side by side, as far as the machine has room for them. A model
    that fails does not stop the others; the exit code is 1 then. A run that was stopped or killed
    goes on where it was: the same command again.
    """
    with common.session() as session:
        local = local_dataset(session, dataset)
        work = plan(session, benchmark, local_id(dataset, session.participant), models)
        place = workplace_of(
            session, common.engine, common.artefact_folders,
            capacity_of(session, jobs, memory_mb, gpus),
        )  # fmt: skip
        place.keep_partial = ignore_case_errors
        expected = list(forecast(session, place, work, local))
        if dry_run:
            common.show([each.as_dict() for each in expected], lambda: planned(expected))
            return 1 if any(each.problem for each in expected) else 0
        if len(expected) > 1:
            click.echo(planned(expected), err=True)
        with run_view([each.model for each in expected]) as view:
            manner = schedule.Manner(retries=retry, thorough=thorough)
            outcomes = schedule.run(session, place, work, local, view.watch, manner)
        common.show(
            [_data(outcome) for outcome in outcomes],
            lambda: summary(outcomes, work.benchmark.primary_metric),
        )
        _tell_failures(outcomes)
        failed = [outcome for outcome in outcomes if outcome.error]
        if len(failed) < len(outcomes):
            app.next_step(f"mpgit result submit -b {benchmark} -d {dataset}")
        return 1 if failed else 0


def _tell_failures(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.error is not None:
            app.tell(f"{outcome.model} failed: {outcome.error.message}")
            for line in particulars(outcome.error):
                app.tell(f"    {line}")


def planned(expected: Sequence[Forecast]) -> str:
    """The plan as a table: a line a model."""
    rows = []
    for each in expected:
        size = "" if each.size is None else f"{each.size / 1e6:.1f} MB"
        here = {None: "the engine knows", True: "here", False: "to fetch"}[each.cached]
        needs = f"{each.cpus} CPU, {each.memory_mb} MiB"
        needs += f", {each.gpus} GPU" if each.gpus else ""
        todo = each.problem or ", ".join(each.todo) or "nothing: it is finished"
        rows.append((each.model, each.image, size, here, needs, todo))
    return app.table(("model", "image", "size", "is", "needs", "to do"), rows)


def _data(outcome: Outcome) -> dict[str, Any]:
    data: dict[str, Any] = {"model": outcome.model, "state": outcome.state}
    if outcome.error is not None:
        data["error"] = outcome.error.as_dict()
    if outcome.result is not None:
        data |= {k: outcome.result[k] for k in ("metrics", "denominator", "execution")}
        data["partial"] = outcome.partial
    return data


def summary(outcomes: Sequence[Outcome], primary: str) -> str:
    """The table at the end of a run: a line a model, its primary metric first."""
    names: list[str] = [primary]
    for outcome in outcomes:
        for metric in (outcome.result or {}).get("metrics", []):
            if metric["id"] not in names:
                names.append(metric["id"])
    rows = []
    for outcome in outcomes:
        if outcome.result is None:
            code = outcome.error.code if outcome.error else ""
            rows.append((outcome.model, "failed", *[code], *[""] * (len(names) - 1), ""))
            continue
        values = {m["id"]: measured(m) for m in outcome.result["metrics"]}
        d = outcome.result["denominator"]
        cases = f"{d['evaluated']}/{d['cases']}"
        rows.append((outcome.model, _state(outcome), *[values.get(n, "") for n in names], cases))
    return app.table(("model", "state", *names, "cases"), rows)


def _state(outcome: Outcome) -> str:
    return ("measured" if outcome.fresh else "known") + (", partial" if outcome.partial else "")
