"""``mpgit withdraw``: take a record out of use.

Example:
    $ mpgit withdraw dataset/ky/opt --reason "Consent was revoked."
"""

from __future__ import annotations

import click

from medperf_git.cli import app
from medperf_git.workflows.propose import propose, short_slug
from medperf_git.workflows.submit import withdrawal


@click.command("withdraw")
@click.argument("record")
@click.option("--reason", required=True, help="Why; this is published.")
@app.options(app.registry_option, app.yes_option, app.merge_option, app.json_option)
def command(*, record: str, reason: str, common: app.Common) -> None:
    """Withdraw RECORD (a path, or kind/id, or kind/id@revision); nothing is deleted."""
    with common.session() as session:
        app.news(session)
        with app.typed("withdrawal"):
            place, data = withdrawal(session, record, reason)
        proposal = propose(
            place,
            data,
            identity=session.snapshot().identity,
            signatures={(session.participant, None): session.signer(app.ask_passphrase)},
            title=f"Withdraw {place.kind} {place.id} revision {place.revision}",
            slug=short_slug(f"withdraw-{place.kind}-{place.id.replace('/', '-')}-{place.revision}"),
        )
        common.submit(session, proposal)
