"""``mpgit key``: signing keys on this machine.

Example:
    $ mpgit key create
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from medperf_git.cli import app
from medperf_git.errors import InputError
from medperf_git.store.home import Home
from medperf_git.trust import keyring


@click.group("key", no_args_is_help=True)
def command() -> None:
    """Signing keys on this machine: ordinary OpenSSH Ed25519 keys."""


@command.command("create")
@click.argument("name", default="default")
@click.option("--no-passphrase", is_flag=True, help="Leave the private key open.")
@click.option(
    "--import",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take this OpenSSH Ed25519 key, or a token's; a lone .pub signs through the agent.",
)
@app.options(app.json_option)
def create(*, name: str, no_passphrase: bool, source: Path | None, common: app.Common) -> None:
    """Make a key, or import one."""
    path = Home.from_environment().key(name)
    if source is not None:
        public = keyring.import_key(path, source, app.ask_passphrase)
    else:
        public = keyring.create(path, passphrase=None if no_passphrase else _new_passphrase(name))
    common.show(
        {"name": name, "public_key": public.text, "fingerprint": public.fingerprint},
        f"{name}: {public.fingerprint}\n{public.text}",
    )
    app.next_step("mpgit participant register ID --name NAME")


def _new_passphrase(name: str) -> str | None:
    if not sys.stdin.isatty():
        given = app.ask_passphrase(name)
        if given is None:
            raise InputError(
                "a passphrase is asked for, and nobody can be asked",
                code="no-terminal",
                advice="set MPGIT_PASSPHRASE, or leave the key open with --no-passphrase",
            )
        return given
    answer: str = click.prompt(
        "Passphrase (empty for none)",
        default="",
        show_default=False,
        hide_input=True,
        confirmation_prompt=True,
        err=True,
    )
    return answer or None


@command.command("ls")
@app.options(app.json_option)
def ls(*, common: app.Common) -> None:
    """List the keys on this machine."""
    home = Home.from_environment()
    rows = [(name, keyring.public_key(home.key(name))) for name in keyring.names(home.keys)]
    common.show(
        [{"name": n, "public_key": k.text, "fingerprint": k.fingerprint} for n, k in rows],
        lambda: (
            app.table(
                ("name", "fingerprint", "where"),
                [(n, k.fingerprint, _where(home.key(n))) for n, k in rows],
            )
            if rows
            else "no key yet: mpgit key create"
        ),
    )


def _where(path: Path) -> str:
    return "agent or token" if keyring.is_elsewhere(path) else "file"


@command.command("view")
@click.argument("name", default="default")
@app.options(app.json_option)
def view(*, name: str, common: app.Common) -> None:
    """Show a key's public half."""
    home = Home.from_environment()
    public = keyring.public_key(home.key(name))
    data = {
        "name": name,
        "public_key": public.text,
        "fingerprint": public.fingerprint,
        "file": str(home.key(name)),
    }
    common.show(data, lambda: app.block(data))
