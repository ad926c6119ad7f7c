"""``mpgit model``: models.

Example:
    $ mpgit model submit my-model/draft.yaml
"""

from __future__ import annotations

import click

from medperf_git.cli import app
from medperf_git.cli.associations_view import ask_for_model
from medperf_git.cli.drafts_view import add_create, add_submit
from medperf_git.cli.records_view import add_reading
from medperf_git.records.mlcube import Model


@click.group("model", no_args_is_help=True)
def command() -> None:
    """Models."""


@command.command("associate")
@click.argument("model")
@app.benchmark_option
@app.options(
    app.engine_option,
    app.artefacts_option,
    app.registry_option,
    app.yes_option,
    app.merge_option,
    app.json_option,
)
def associate(*, model: str, benchmark: str, common: app.Common) -> None:
    """Ask a benchmark to use MODEL; it is tested on the demo data first."""
    with common.session() as session:
        app.news(session)
        proposal = ask_for_model(session, benchmark, model, common.engine, common.artefact_folders)
        common.submit(session, proposal)


def _columns(record: Model) -> tuple[str, str, str]:
    return record.image.type, record.image_digest[:16], record.name


add_create(command, ("model",))
add_submit(command, "model")
add_reading(command, "model", _columns, ("image", "digest", "name"))
