"""``mpgit server``: a plain Git server's repository with its guard, and what GitHub needs.

Example:
    $ mpgit server init /srv/preterm.git
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from medperf_git.cli import app
from medperf_git.cli.github_options import github_options
from medperf_git.workflows.github import Guard, write_github
from medperf_git.workflows.server import Limits, init_server

_DEFAULT = Limits()


@click.group("server", no_args_is_help=True)
def command() -> None:
    """A plain Git server's repository with its guard."""


@command.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--install-path",
    type=click.Path(path_type=Path),
    help="The mpgit that the hook calls (default: this one).",
)
@click.option(
    "--max-objects",
    type=click.IntRange(min=1),
    default=_DEFAULT.objects,
    show_default=True,
    help="New files, folders and commits that one push may bring.",
)
@click.option(
    "--max-megabytes",
    type=click.IntRange(min=1),
    default=_DEFAULT.megabytes,
    show_default=True,
    help="Size of one push.",
)
@click.option(
    "--max-open",
    type=click.IntRange(min=1),
    default=_DEFAULT.open_requests,
    show_default=True,
    help="Open requests of one participant.",
)
@app.options(app.json_option)
def init(
    *,
    folder: Path,
    install_path: Path | None,
    max_objects: int,
    max_megabytes: int,
    max_open: int,
    common: app.Common,
) -> None:
    """Make a bare repository in DIR whose main takes complete transitions alone.

    Run it on the server, as the user that will own the repository.
    """
    limits = Limits(objects=max_objects, megabytes=max_megabytes, open_requests=max_open)
    made = init_server(folder, install_path or _this_program(), limits)
    common.show(
        {"path": str(made.path), "program": str(made.program)},
        f"made {made.path}\nits hook judges with {made.program}",
    )
    app.next_step(
        "from your own machine: mpgit registry init NAME URL --title TITLE --participant ID …"
    )


def _this_program() -> Path:
    """The `mpgit` that runs now, or the one beside the Python that does."""
    started = Path(sys.argv[0])
    return started if started.name == "mpgit" else Path(sys.executable).parent / "mpgit"


@command.command("github")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@github_options(required=True)
@click.option("--genesis", required=True, help="The registry's fingerprint: SHA-256.")
@app.options(app.json_option)
def github(
    *, folder: Path, action: str, genesis: str, owners: tuple[str, ...], common: app.Common
) -> None:
    """Write what a registry on GitHub needs into the checkout DIR.

    Two workflows, CODEOWNERS, and a ruleset to import; commit them in a request of their own.
    """
    written = write_github(folder, Guard(action, owners), genesis)
    common.show([str(path) for path in written], "\n".join(f"wrote {path}" for path in written))
    app.next_step("import .github/ruleset.json: Settings, Rules, Rulesets, Import")
