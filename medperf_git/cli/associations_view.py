"""Asking for associations, which owners and committees both can.

Example::

    proposal = ask_for_dataset(session, "anna/preterm", "ky/opt")
"""

from __future__ import annotations

from pathlib import Path

from medperf_git.cli import app
from medperf_git.cli.workplace import tester
from medperf_git.workflows.associate import dataset_association, model_association
from medperf_git.workflows.propose import Proposal
from medperf_git.workflows.session import Session
from medperf_git.workflows.submit import sign_record


def ask_for_model(
    session: Session, benchmark: str, model: str, engine: str | None, folders: tuple[Path, ...]
) -> Proposal:
    """A tested model's association, signed by this side.

    Raises:
        ExecutionError: the compatibility test failed; nothing was signed.
    """
    name = model if "/" in model else f"{session.participant}/{model}"
    record = model_association(session, benchmark, name, tester(session, engine, folders))
    app.tell("the compatibility test passed")
    title = f"Associate model {name} with {benchmark}"
    signer = session.signer(app.ask_passphrase)
    return sign_record(session, "model-association", record, signer, title)


def ask_for_dataset(session: Session, benchmark: str, dataset: str) -> Proposal:
    """A dataset's association, signed by this side."""
    name = dataset if "/" in dataset else f"{session.participant}/{dataset}"
    record = dataset_association(session.snapshot(), benchmark, name)
    title = f"Associate dataset {name} with {benchmark}"
    signer = session.signer(app.ask_passphrase)
    return sign_record(session, "dataset-association", record, signer, title)
