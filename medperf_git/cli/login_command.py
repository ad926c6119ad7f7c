"""``mpgit login``: a token for a host, from GitHub's device flow or from standard input.

Example:
    $ mpgit login
    $ mpgit login git.example.org --with-token <token.txt
"""

from __future__ import annotations

import sys
from typing import Any, Final

import click

from medperf_git.cli import app
from medperf_git.errors import InputError
from medperf_git.forge import device_flow
from medperf_git.forge.login_host import GITHUB, Kind, LoginHost
from medperf_git.forge.secret import Secret
from medperf_git.forge.tokens import TokenStore, find_token, likely_hosts
from medperf_git.store.home import Home

_CLIENT_ID: Final = "MPGIT_GITHUB_CLIENT_ID"
_MOST_CHARACTERS: Final = 1 << 16
_ENOUGH: Final = frozenset({"repo", "public_repo"})


@click.command("login")
@click.argument("host", required=False)
@click.option("--with-token", is_flag=True, help="Read a token from standard input.")
@click.option(
    "--client-id",
    envvar=_CLIENT_ID,
    show_envvar=True,
    metavar="ID",
    help="The OAuth app that asks in the browser.",
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=("public_repo",),
    show_default=True,
    metavar="NAME",
    help="What the browser is asked for (`repo` for a private registry); may be given again.",
)
@click.option(
    "--kind", type=click.Choice(["github", "gitlab"]), help="What runs there (default: by name)."
)
@click.option("--status", is_flag=True, help="Only list hosts and where their tokens are.")
@app.options(app.json_option)
def command(
    *,
    host: str | None,
    with_token: bool,
    client_id: str | None,
    scopes: tuple[str, ...],
    kind: Kind | None,
    status: bool,
    common: app.Common,
) -> None:
    """Log in to a host (default: github.com).

    Asks in the browser, or takes a token that you made there; then asks the host whose it is,
    and keeps it: in the system's keyring, or in a file that only you can read. $GH_TOKEN and
    the GitHub CLI's login are found without this.
    """
    store = TokenStore(Home.from_environment().tokens)
    if status:
        _show_status(common, store, host, kind)
        return
    there = LoginHost.read(host or GITHUB, kind)
    secret = _typed_token() if with_token else _token_by_browser(there, client_id, scopes)
    account = device_flow.account(there, secret)
    kept = store.set(there.name, secret)
    common.show(
        {
            "host": there.name,
            "login": account.login,
            "kept": kept,
            "scopes": None if account.scopes is None else list(account.scopes),
        },
        f"logged in to {there.name} as {account.login}; kept in {kept}",
    )
    _warn(there, account, kept, store)


def _typed_token() -> Secret:
    if sys.stdin.isatty():
        answer: str = click.prompt("Token", hide_input=True, err=True)
        return Secret(answer.strip())
    try:
        return Secret(sys.stdin.read(_MOST_CHARACTERS).strip())
    except UnicodeDecodeError as error:
        raise InputError("that is no token", code="bad-token") from error


def _token_by_browser(host: LoginHost, client_id: str | None, scopes: tuple[str, ...]) -> Secret:
    if host.kind != "github":
        raise InputError(
            f"{host.name} is not asked through the browser",
            code="no-device-flow",
            advice=f"make a token there (scope `api`), then: mpgit login {host.name} --with-token",
        )
    if not client_id:
        raise InputError(
            "no OAuth app is set, which would ask in the browser",
            code="no-client-id",
            advice=f"make a token at {host.web}/settings/tokens, then: mpgit login {host.name} "
            "--with-token; or set $GH_TOKEN; or gh auth login; or give an app's --client-id "
            f"(${_CLIENT_ID})",
        )
    pending = device_flow.begin(host.web, client_id, scopes)
    address, code = map(app.printable, (pending.verification_uri, pending.user_code))
    app.tell(f"open {address} in a browser, on any machine, and enter the code {code}")
    app.tell(f"waiting, for {pending.expires_in / 60:.0f} minutes at most")
    return device_flow.poll(pending)


def _warn(host: LoginHost, account: device_flow.Account, kept: str, store: TokenStore) -> None:
    if host.kind == "github" and account.scopes is not None and not _ENOUGH & {*account.scopes}:
        has = ", ".join(account.scopes) or "none"
        app.tell(
            f"warning: the token's scopes ({has}) lack public_repo: it can't open requests; a "
            "private registry needs repo"
        )
    found = find_token(host.name, host.kind, store)
    if found is not None and found.source != kept:
        app.tell(f"{found.source} is set and comes first, as long as it is")


# --- --status ------------------------------------------------------------------------------


def _show_status(
    common: app.Common, store: TokenStore, host: str | None, kind: Kind | None
) -> None:
    names = likely_hosts(store) if host is None else [LoginHost.read(host).name]
    rows = [row for name in names if (row := _row(name, kind, store)) is not None]
    if rows:
        cells = [(row["host"], row["kind"], row["source"] or row["trouble"]) for row in rows]
        common.show(rows, lambda: app.table(("host", "kind", "token from"), cells))
    elif host is None:
        common.show(rows, "not logged in to any host: mpgit login")
    else:
        common.show(rows, f"not logged in to {names[0]}")


def _row(name: str, kind: Kind | None, store: TokenStore) -> dict[str, Any] | None:
    there = LoginHost.read(name, kind)
    try:
        found = find_token(there.name, there.kind, store)
    except InputError as error:
        if error.code not in ("keyring-locked", "bad-token"):
            raise
        where = f"{error.place}: " if error.place else ""
        trouble = where + error.message
        return {"host": there.name, "kind": there.kind, "source": None, "trouble": trouble}
    if found is None:
        return None
    return {"host": there.name, "kind": there.kind, "source": found.source, "trouble": None}
