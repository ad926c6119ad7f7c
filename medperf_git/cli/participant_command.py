"""``mpgit participant``: register, rotate keys, recover, list.

Example:
    $ mpgit participant register ky --name "University of Kentucky"
"""

from __future__ import annotations

import click

from medperf_git.cli import app
from medperf_git.cli.records_view import add_reading
from medperf_git.errors import InputError
from medperf_git.records.participant import Participant, Revocation
from medperf_git.store.home import Home
from medperf_git.trust import keyring
from medperf_git.trust.keyring import Signer
from medperf_git.workflows import participants as workflow
from medperf_git.workflows.registry import first_key
from medperf_git.workflows.session import Session


@click.group("participant", no_args_is_help=True)
def command() -> None:
    """Register, change keys, recover; who takes part."""


@command.command("register")
@click.argument("participant")
@click.option("--name", required=True, help="Your full name, for people.")
@click.option("--contact", help="Where to write to, if that shall be public.")
@click.option("--description", help="Who this is.")
@click.option("--key", "key_name", default="default", show_default=True, help="The key to use.")
@app.options(app.registry_option, app.yes_option, app.merge_option, app.json_option)
def register(
    *,
    participant: str,
    name: str,
    contact: str | None,
    description: str | None,
    key_name: str,
    common: app.Common,
) -> None:
    """Register as PARTICIPANT; signing the record proves that you hold the key."""
    home = Home.from_environment()
    signer = keyring.signer(home.key(key_name), app.ask_passphrase)
    with common.session() as session:
        app.news(session)
        with app.typed("participant"):
            record = Participant(
                kind="participant",
                id=participant,
                revision=1,
                name=name,
                contact=contact,
                description=description,
                keys=(first_key(key_name, signer),),
            )
        proposal = workflow.register(session, record, signer)
        session.entry = session.entry.model_copy(
            update={"participant": participant, "key": key_name}
        )
        # Before it is sent: a client that dies in between must still know who it is.
        common.submit(session, proposal, lambda: home.save_registry(session.entry))


def _revocations(
    revoke: tuple[str, ...], reason: str, doubted_from: str | None, session: Session
) -> dict[str, Revocation]:
    if (reason == "compromised") != (doubted_from is not None):
        raise InputError(
            "--doubted-from stands exactly with --reason compromised",
            code="bad-revocation",
            advice="name the first commit of main that this key's signatures are doubted from",
        )
    commit = session.resolve(doubted_from) if doubted_from else None
    return {
        name: Revocation.model_validate({"reason": reason, "doubted_from": commit})
        for name in revoke
    }


def _new_key(home: Home, name: str | None) -> tuple[str, Signer] | None:
    return None if name is None else (name, keyring.signer(home.key(name), app.ask_passphrase))


_revoke_options = (
    click.option("--new-key", metavar="KEY", help="A key on this machine to add."),
    click.option("--revoke", multiple=True, metavar="KEY", help="A key to revoke."),
    click.option(
        "--reason",
        type=click.Choice(["superseded", "lost", "compromised"]),
        default="superseded",
        show_default=True,
    ),
    click.option("--doubted-from", metavar="COMMIT", help="With `compromised`: from when on."),
)


@command.command("rotate")
@app.options(
    *_revoke_options, app.registry_option, app.yes_option, app.merge_option, app.json_option
)
def rotate(
    *,
    new_key: str | None,
    revoke: tuple[str, ...],
    reason: str,
    doubted_from: str | None,
    common: app.Common,
) -> None:
    """Add a key, revoke keys, or both; signed by a key that is active now."""
    home = Home.from_environment()
    with common.session() as session:
        app.news(session)
        new = _new_key(home, new_key)
        proposal = workflow.rotate(
            session,
            signer=session.signer(app.ask_passphrase),
            new=new,
            revoked=_revocations(revoke, reason, doubted_from, session),
        )
        common.submit(session, proposal)
        if new is not None and session.entry.key in revoke:
            home.save_registry(session.entry.model_copy(update={"key": new[0]}))


@command.command("recover")
@click.argument("participant")
@app.options(*_revoke_options, app.registry_option, app.yes_option, app.json_option)
def recover(
    *,
    participant: str,
    new_key: str | None,
    revoke: tuple[str, ...],
    reason: str,
    doubted_from: str | None,
    common: app.Common,
) -> None:
    """Replace the keys of PARTICIPANT, who lost them all; administrators approve.

    The participant runs this with the new key; the administrators then approve the request.
    """
    home = Home.from_environment()
    with common.session() as session:
        app.news(session)
        if session.entry.participant not in (None, participant):
            raise InputError(
                f"you are {session.entry.participant} here, not {participant}",
                code="wrong-participant",
                advice=f"{participant} runs this; administrators then approve the request",
            )
        new = _new_key(home, new_key)
        session.entry = session.entry.model_copy(
            update={"participant": participant, "key": new[0] if new else session.entry.key}
        )
        proposal = workflow.recover(
            session,
            participant,
            signer=None,
            new=new,
            revoked=_revocations(revoke, reason, doubted_from, session),
        )
        request = common.submit(session, proposal, lambda: home.save_registry(session.entry))
        # The lost keys could sign it too, so the verdict alone does not say whom to ask.
        app.next_step(f"the administrators: mpgit request approve {request.id}")


def _columns(record: Participant) -> tuple[str, int, str]:
    return record.name, len(record.active_keys), ", ".join(key.name for key in record.active_keys)


add_reading(command, "participant", _columns, ("name", "active keys", "which"))
