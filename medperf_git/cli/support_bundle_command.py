"""``mpgit support-bundle``: a file for whoever helps, without data, results and keys.

Example:
    $ mpgit support-bundle support.tar.gz
"""

from __future__ import annotations

from pathlib import Path

import click

from medperf_git.cli import app
from medperf_git.cli.storage_command import size
from medperf_git.runtime.tasklog import last_lines
from medperf_git.store.home import Home
from medperf_git.workflows.bundle import Bundle, collect, write
from medperf_git.workflows.doctor import examine


@click.command("support-bundle")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--with-logs",
    is_flag=True,
    help="Also what tasks printed, which can hold patients' data; asks after a preview.",
)
@app.options(app.yes_option, app.json_option)
def command(*, file: Path, with_logs: bool, common: app.Common) -> None:
    """Write versions, what the doctor sees, and how tasks ran and ended to FILE, a tar.gz.

    Sends nothing. Data, labels, predictions, results, statistics and keys never enter; what tasks
    printed enters only with --with-logs, after you have seen it and said yes.
    """
    home = Home.from_environment()
    app.tell("each engine and each registry is tried: this takes some seconds")
    bundle = collect(home, examine(home), with_logs=with_logs)
    _preview(bundle)
    if bundle.logs:
        common.confirm("What tasks printed can hold patients' data. Put it in?")
    write(bundle, file)
    names = [entry.name for entry in bundle.entries] + [name for name, _ in bundle.logs]
    common.show({"file": str(file), "entries": names}, f"wrote {app.printable(str(file))}")
    app.next_step(f"look at it before you send it: tar xzf {app.printable(str(file))}")


def _preview(bundle: Bundle) -> None:
    rows = [(entry.name, size(entry.size)) for entry in bundle.entries]
    rows += [(name, size(path.stat().st_size)) for name, path in bundle.logs]
    click.echo(app.table(("what enters", "size"), rows), err=True)
    for path in bundle.left_out:
        app.tell(f"stays out: {app.printable(str(path))}")
    for name, path in bundle.logs:
        click.echo(f"\n── {name}, its last lines; all of it: less {path}", err=True)
        for line in last_lines(path).splitlines():
            click.echo(f"   {line}", err=True)
