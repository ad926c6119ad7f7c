"""``mpgit storage``: what is kept on this machine, and freeing what may go.

Example:
    $ mpgit storage clean --cache
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import click

from medperf_git.cli import app
from medperf_git.errors import InputError
from medperf_git.store.home import Home
from medperf_git.workflows.storage import Item, stored
from medperf_git.workflows.storage_clean import Choice, Wanted, choose, clean
from medperf_git.workflows.storage_leftovers import leftovers

_UNIT: Final = 1000


@click.group("storage", no_args_is_help=True)
def command() -> None:
    """What is kept on this machine: look, free."""


@command.command("ls")
@app.options(app.json_option)
def ls(*, common: app.Common) -> None:
    """List what is kept, its size, what it belongs to and whether it can be had again."""
    home = Home.from_environment()
    items = [*stored(home), *leftovers(home)]
    total = sum(item.size for item in items)
    common.show(
        {"items": [item.as_dict() for item in items], "size": total},
        lambda: f"{_table(items)}\n\n{size(total)} in all" if items else "nothing is kept here yet",
    )
    if any(item.kind in ("leftover", "group", "container") for item in items):
        app.next_step("mpgit storage clean removes what killed runs left")


@command.command("clean")
@click.option(
    "--leftovers", "with_leftovers", is_flag=True, help="What killed runs left (default)."
)
@click.option("--cache", is_flag=True, help="What can be had again: artefacts, indexes, scratch.")
@click.option("--executions", is_flag=True, help="Executions whose results are registered.")
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="ID",
    help="This prepared dataset: owner/name; may be given again.",
)
@app.options(app.yes_option, app.json_option)
def clean_command(
    *,
    with_leftovers: bool,
    cache: bool,
    executions: bool,
    datasets: tuple[str, ...],
    common: app.Common,
) -> int:
    """Free space, after a preview and a yes.

    Never removes results that are not registered, requests that wait to be sent, keys or raw data.
    What somebody works with is left alone.
    """
    home = Home.from_environment()
    nothing_named = not (cache or executions or datasets)
    wanted = Wanted(with_leftovers or nothing_named, cache, executions, datasets)
    choice = choose(home, wanted)
    _refuse_kept_datasets(choice)
    for item, reason in choice.kept:
        app.tell(f"stays: {item.kind} {app.printable(item.name)}: {reason}")
    if not choice.items:
        common.show({"freed": 0, "removed": [], "kept": _kept(choice.kept)}, "nothing to free")
        return 0
    click.echo(_table(choice.items), err=True)
    common.confirm(f"Remove all of this, {size(choice.size)}?")
    done = clean(home, choice.items)
    data = {
        "freed": done.freed,
        "removed": [item.as_dict() for item in done.removed],
        "kept": _kept([*choice.kept, *done.kept]),
    }
    common.show(data, f"{size(done.freed)} freed, {len(done.removed)} removed")
    for item, reason in done.kept:
        app.tell(f"stays: {item.kind} {app.printable(item.name)}: {reason}")
    return 1 if done.kept else 0


def _refuse_kept_datasets(choice: Choice) -> None:
    """A dataset was named: that it stays is an error, not a remark."""
    for item, reason in choice.kept:
        if item.kind == "dataset":
            raise InputError(
                f"{item.name} stays: {reason}", code="locked", place=str(item.path),
                advice="wait for whoever works with it, or remove by hand what the link leads to",
            )  # fmt: skip


def _kept(kept: Iterable[tuple[Item, str]]) -> list[dict[str, Any]]:
    return [{**item.as_dict(), "reason": reason} for item, reason in kept]


def _table(items: Sequence[Item]) -> str:
    rows = [
        (item.kind, item.name, size(item.size), item.belongs, item.state, item.again or "no")
        for item in items
    ]
    return app.table(("what", "name", "size", "belongs to", "state", "can be had again"), rows)


def size(count: int) -> str:
    """Bytes for people."""
    amount, units = float(count), ["B", "kB", "MB", "GB"]
    while amount >= _UNIT and len(units) > 1:
        amount /= _UNIT
        units.pop(0)
    return f"{amount:.0f} {units[0]}" if units[0] == "B" else f"{amount:.1f} {units[0]}"
