"""``mpgit run``: run a benchmark's models on a dataset, here.

Example:
    $ mpgit run -b anna/preterm -d ky/opt
"""

from __future__ import annotations

from typing import Any

import click

from medperf_git.cli import app
from medperf_git.cli.workplace import workplace_of
from medperf_git.workflows.datasets import local_dataset, local_id
from medperf_git.workflows.execute import Outcome, plan, run


@click.command("run")
@app.benchmark_option
@app.dataset_option
@click.option("--model", "-m", "models", multiple=True, metavar="ID", help="May be given again.")
@app.options(app.engine_option, app.artefacts_option, app.registry_option, app.json_option)
def command(*, benchmark: str, dataset: str, models: tuple[str, ...], common: app.Common) -> int:
    """Run every associated model, by the committee's priority; nothing leaves this machine.

    Needs no network. A model that fails does not stop the others; the exit code is 1 then.
    """
    with common.session() as session:
        local = local_dataset(session, dataset)
        work = plan(session, benchmark, local_id(dataset, session.participant), models)
        outcomes = run(
            session,
            workplace_of(session, common.engine, common.artefact_folders),
            work,
            local,
            lambda model, at, total: app.tell(f"{model} ({at} of {total})"),
        )
        common.show(
            [_data(outcome) for outcome in outcomes],
            lambda: summary(outcomes, work.benchmark.primary_metric),
        )
        for outcome in outcomes:
            if outcome.error is not None:
                app.tell(f"{outcome.model} failed: {outcome.error.message}")
                for line in (outcome.error.place, outcome.error.advice):
                    if line:
                        app.tell(f"    {line}")
        failed = [outcome for outcome in outcomes if outcome.error]
        if len(failed) < len(outcomes):
            app.next_step(f"mpgit result submit -b {benchmark} -d {dataset}")
        return 1 if failed else 0


def _data(outcome: Outcome) -> dict[str, Any]:
    data: dict[str, Any] = {"model": outcome.model, "state": outcome.state}
    if outcome.error is not None:
        data["error"] = outcome.error.as_dict()
    if outcome.result is not None:
        data |= {k: outcome.result[k] for k in ("metrics", "denominator", "execution")}
    return data


def summary(outcomes: list[Outcome], primary: str) -> str:
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
        state = "measured" if outcome.fresh else "known"
        rows.append((outcome.model, state, *[values.get(n, "") for n in names], cases))
    return app.table(("model", "state", *names, "cases"), rows)


def measured(metric: dict[str, Any]) -> str:
    """A metric with its interval, for people."""
    text = f"{metric['value']:.3f}"
    if "low" in metric:
        text += f" ({metric['low']:.3f}–{metric['high']:.3f})"
    return text
