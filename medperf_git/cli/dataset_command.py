"""``mpgit dataset``: prepare, describe, associate; the data itself stays here.

Example:
    $ mpgit dataset prepare opt -b anna/preterm --data raw/ --labels raw/
"""

from __future__ import annotations

from pathlib import Path

import click

from medperf_git.cli import app
from medperf_git.cli.associations_view import ask_for_dataset
from medperf_git.cli.records_view import add_reading
from medperf_git.cli.workplace import workplace_of
from medperf_git.records.dataset import Dataset
from medperf_git.workflows import datasets as workflow
from medperf_git.workflows.submit import sign_record


@click.group("dataset", no_args_is_help=True)
def command() -> None:
    """Datasets that stay on this machine."""


_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@command.command("prepare")
@click.argument("name")
@click.option("--benchmark", "-b", required=True, metavar="ID", help="Whose preparation MLCube.")
@click.option("--data", required=True, type=_folder, help="Folder of raw data.")
@click.option("--labels", type=_folder, help="Folder of raw labels (default: the data's).")
@click.option("--title", help="The dataset's name, for people (default: NAME).")
@click.option("--description", help="Where and when the data was gathered; this is published.")
@app.options(app.engine_option, app.artefacts_option, app.registry_option, app.json_option)
def prepare(
    *,
    name: str,
    benchmark: str,
    data: Path,
    labels: Path | None,
    title: str | None,
    description: str | None,
    common: app.Common,
) -> None:
    """Prepare raw data, check it, compute statistics; nothing leaves this machine."""
    with common.session() as session:
        dataset = workflow.prepare_dataset(
            session,
            workplace_of(session, common.engine, common.artefact_folders),
            name=name,
            benchmark=benchmark,
            data=data.resolve(),
            labels=(labels or data).resolve(),
            title=title or name,
            description=description,
        )
        shown = {k: dataset.facts[k] for k in ("id", "cases", "fingerprint", "statistics")}
        common.show(
            {**dataset.facts, "folder": str(dataset.folder)},
            lambda: app.block(shown) + f"\nprepared in {dataset.folder}",
        )
        app.next_step(f"mpgit dataset submit {name}")


@command.command("submit")
@click.argument("name")
@app.thorough_option
@app.options(app.registry_option, app.yes_option, app.merge_option, app.json_option)
def submit(*, name: str, thorough: bool, common: app.Common) -> None:
    """Show what would be published of a prepared dataset; after a yes, sign and send it."""
    with common.session() as session:
        dataset = workflow.local_dataset(session, name)
        rules = session.site_rules()
        record = workflow.dataset_record(session, dataset, rules, thorough=thorough)
        title = f"Add dataset {record.id} revision {record.revision}"
        signer = session.signer(app.ask_passphrase)
        proposal = sign_record(session, "dataset", record, signer, title)
        common.submit(session, proposal)


@command.command("associate")
@click.argument("name")
@app.benchmark_option
@app.options(app.registry_option, app.yes_option, app.merge_option, app.json_option)
def associate(*, name: str, benchmark: str, common: app.Common) -> None:
    """Ask a benchmark to use a submitted dataset."""
    with common.session() as session:
        app.news(session)
        proposal = ask_for_dataset(session, benchmark, name)
        common.submit(session, proposal)


@command.command("check")
@click.argument("name")
@app.thorough_option
@app.options(app.registry_option, app.json_option)
def check(*, name: str, thorough: bool, common: app.Common) -> None:
    """See that the prepared files are still what they were."""
    with common.session() as session:
        dataset = workflow.local_dataset(session, name)
        workflow.refuse_changed(dataset, thorough=thorough)
        common.show(
            {"id": dataset.id, "state": "unchanged", "fingerprint": dataset.fingerprint},
            f"{dataset.id} is unchanged ({dataset.fingerprint['files']} files)",
        )


def _columns(record: Dataset) -> tuple[int, str, str]:
    return record.cases, record.fingerprint.data[:16], record.name


add_reading(command, "dataset", _columns, ("cases", "data", "name"))
