"""``mpgit test``: the compatibility test, with any mix of local and registered parts.

Example:
    $ mpgit test -b anna/preterm -m my-model/draft.yaml
"""

from __future__ import annotations

from pathlib import Path

import click

from medperf_git.cli import app
from medperf_git.cli.workplace import workplace_of
from medperf_git.workflows.compatibility import run_test
from medperf_git.workflows.parts import gather_parts


@click.command("test")
@click.option("--benchmark", "-b", required=True, metavar="ID|DRAFT", help="Declares the metrics.")
@click.option("--model", "-m", metavar="ID|DRAFT", help="Default: the reference model.")
@click.option("--preparation", "-p", metavar="ID|DRAFT", help="Default: the benchmark's.")
@click.option("--metrics", metavar="ID|DRAFT", help="Default: the benchmark's.")
@click.option(
    "--demo",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of raw data instead of the pinned demo data.",
)
@app.options(app.engine_option, app.artefacts_option, app.registry_option, app.json_option)
def command(
    *,
    benchmark: str,
    model: str | None,
    preparation: str | None,
    metrics: str | None,
    demo: Path | None,
    common: app.Common,
) -> None:
    """Run a whole benchmark on its demo data; sends and signs nothing.

    Each part is an id in the registry or the file of a draft.
    """
    with common.session() as session:
        named = {"benchmark": benchmark, "model": model, "preparation": preparation}
        parts, folders = gather_parts(
            session, {**named, "metrics": metrics}, common.artefact_folders
        )
        folder = session.home.scratch / f"test-{parts.model.image_digest[:16]}"
        outcome = run_test(
            workplace_of(session, common.engine, folders), parts, folder, commit=None, demo=demo
        )
        common.show(
            {"verdict": "passed", **outcome.model_dump(mode="json", exclude_none=True)},
            lambda: (
                app.table(
                    ("metric", "value", "interval", "n"),
                    [
                        (m.id, f"{m.value:.3f}", _interval(m.low, m.high), m.n)
                        for m in outcome.metrics
                    ],
                )
                + f"\npassed: {parts.model.id} on {outcome.denominator.cases} demo cases"
            ),
        )


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.3f}…{high:.3f}"
