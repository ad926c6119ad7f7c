"""``mpgit benchmark``: benchmarks, their policies and associations.

Example:
    $ mpgit benchmark submit benchmark.yaml
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from medperf_git.cli import app
from medperf_git.cli.associations_view import ask_for_dataset, ask_for_model
from medperf_git.cli.records_view import add_reading
from medperf_git.cli.workplace import tester
from medperf_git.errors import InputError
from medperf_git.records.benchmark import Benchmark
from medperf_git.workflows.drafts import read_draft
from medperf_git.workflows.skeletons import write_benchmark_draft
from medperf_git.workflows.submit import policy_record, sign_record, tested_benchmark


@click.group("benchmark", no_args_is_help=True)
def command() -> None:
    """Benchmarks, their policies and associations."""


@command.command("create")
@click.argument("name")
@click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write it (default: NAME.yaml).",
)
@app.options(app.json_option)
def create(*, name: str, path: Path | None, common: app.Common) -> None:
    """Write an annotated draft of a benchmark."""
    written = write_benchmark_draft(path or Path(f"{name}.yaml"), name)
    common.show({"files": [str(written)]}, f"wrote {written}")
    app.next_step(f"fill it in, then: mpgit benchmark submit {written}")


@command.command("submit")
@click.argument("draft", type=click.Path(dir_okay=False, path_type=Path))
@app.options(
    app.engine_option,
    app.artefacts_option,
    app.registry_option,
    app.yes_option,
    app.merge_option,
    app.json_option,
)
def submit(*, draft: Path, common: app.Common) -> None:
    """Test DRAFT on its demo data, then open a request with the signed benchmark."""
    with common.session() as session:
        app.news(session)
        folders = common.folders(session)
        test = tester(session, common.engine, (draft.parent, *common.artefact_folders))
        record = tested_benchmark(session, read_draft(draft, folders), test)
        app.tell("the compatibility test passed")
        title = f"Add benchmark {record.id} revision {record.revision}: {record.name}"
        signer = session.signer(app.ask_passphrase)
        proposal = sign_record(session, "benchmark", record, signer, title)
        common.submit(session, proposal)


@command.command("policy")
@click.argument("benchmark")
@click.option(
    "--file", "path", type=click.Path(dir_okay=False, path_type=Path), help="A draft of all of it."
)
@click.option("--open/--closed", "is_open", default=None, help="Take associations and results?")
@click.option("--results", type=click.Choice(["auto", "approve"]), help="Who approves results.")
@click.option(
    "--image",
    "images",
    multiple=True,
    type=click.Choice(["reference", "archive", "source"]),
    help="Admitted kinds.",
)
@click.option("--priority", "priorities", multiple=True, metavar="MODEL", help="First to run.")
@click.option("--models", type=click.Choice(["approve", "auto"]), help="Admission of models.")
@click.option("--datasets", type=click.Choice(["approve", "auto"]), help="Admission of datasets.")
@app.options(app.registry_option, app.yes_option, app.merge_option, app.json_option)
def policy(
    *,
    benchmark: str,
    path: Path | None,
    is_open: bool | None,
    results: str | None,
    images: tuple[str, ...],
    priorities: tuple[str, ...],
    models: str | None,
    datasets: str | None,
    common: app.Common,
) -> None:
    """Propose the next policy of BENCHMARK; what is not named stays as it is."""
    changes: dict[str, Any] = {"open": is_open, "results": results}
    changes |= {"images": list(images) or None, "priorities": list(priorities) or None}
    changes |= {"models": {"mode": models, "participants": []} if models else None}
    changes |= {"datasets": {"mode": datasets, "participants": []} if datasets else None}
    chosen = {name: value for name, value in changes.items() if value is not None}
    with common.session() as session:
        app.news(session)
        draft = read_draft(path) if path else None
        with app.typed("policy"):
            record = policy_record(session, benchmark, chosen, draft)
        title = f"Set policy {record.revision} of {benchmark}"
        signer = session.signer(app.ask_passphrase)
        proposal = sign_record(session, "policy", record, signer, title)
        common.submit(session, proposal)


@command.command("associate")
@click.argument("benchmark")
@click.option("--model", "-m", metavar="ID", help="The model: owner/name.")
@click.option("--dataset", "-d", metavar="ID", help="The dataset: owner/name.")
@app.options(
    app.engine_option,
    app.artefacts_option,
    app.registry_option,
    app.yes_option,
    app.merge_option,
    app.json_option,
)
def associate(
    *, benchmark: str, model: str | None, dataset: str | None, common: app.Common
) -> None:
    """Invite a model or a dataset to BENCHMARK; its owner then approves."""
    if (model is None) == (dataset is None):
        raise InputError("name a --model or a --dataset", code="usage")
    with common.session() as session:
        app.news(session)
        if model is not None:
            proposal = ask_for_model(
                session, benchmark, model, common.engine, common.artefact_folders
            )
        else:
            proposal = ask_for_dataset(session, benchmark, str(dataset))
        common.submit(session, proposal)


def _columns(record: Benchmark) -> tuple[str, str, str]:
    committee = record.committee
    rule = f"{committee.threshold} of {len(committee.members)}"
    return record.primary_metric, rule, record.name


add_reading(command, "benchmark", _columns, ("primary metric", "committee", "name"))
