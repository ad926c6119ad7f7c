"""``mpgit logout``: forget a host's token.

Example:
    $ mpgit logout
"""

from __future__ import annotations

import click

from medperf_git.cli import app
from medperf_git.errors import InputError
from medperf_git.forge.login_host import GITHUB, LoginHost
from medperf_git.forge.tokens import TokenStore, find_token
from medperf_git.store.home import Home


@click.command("logout")
@click.argument("host", default=GITHUB)
@app.options(app.json_option)
def command(*, host: str, common: app.Common) -> None:
    """Forget the token that is kept for a host.

    The host still accepts it until it is revoked there.
    """
    there = LoginHost.read(host)
    store = TokenStore(Home.from_environment().tokens)
    removed = store.remove(there.name)
    rest = find_token(there.name, there.kind, store)
    if not removed:
        raise InputError(
            f"no token is kept for {there.name}",
            code="not-logged-in",
            advice=f"one comes from {rest.source}" if rest else "mpgit login --status",
        )
    common.show(
        {"host": there.name, "still_from": rest.source if rest else None},
        f"forgot the token for {there.name}; to revoke it, see {there.web}/settings",
    )
    if rest is not None:
        app.tell(f"{rest.source} still gives one")
