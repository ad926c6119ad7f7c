"""The options that say who and what guards a registry on GitHub; two commands take them.

Example::

    @github_options(required=True)
    def command(*, action: str, owners: tuple[str, ...]) -> None: ...
"""

from __future__ import annotations

from collections.abc import Callable

import click

from medperf_git.cli import app


def github_options(*, required: bool) -> Callable[[app.FunctionT], app.FunctionT]:
    """`--action` and `--owner`."""

    def decorate(function: app.FunctionT) -> app.FunctionT:
        function = click.option(
            "--owner",
            "owners",
            multiple=True,
            required=required,
            metavar="WHO",
            help="On GitHub: who agrees to changes outside registry/: @person or @org/team; "
            "may be given again.",
        )(function)
        return click.option(
            "--action",
            required=required,
            metavar="OWNER/NAME@COMMIT",
            help="On GitHub: medperf_git's repository, at the commit that shall judge.",
        )(function)

    return decorate
