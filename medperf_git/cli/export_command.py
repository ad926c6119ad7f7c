"""``mpgit export``: the registry in other forms.

Example:
    $ mpgit export parquet results-2026
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from medperf_git.cli import app
from medperf_git.cli.index_view import opened
from medperf_git.index.export import export

_VERIFIED: Final = {
    "verification": {
        "audited": (
            "before it made this copy, the client that wrote it had replayed main from the pinned "
            "genesis to this commit, and every transition kept the rules: every record's form, "
            "references and signatures. The copy itself is not signed."
        )
    }
}
"""What the value of the column `verification` means: sessions only know commits that passed."""


@click.group("export", no_args_is_help=True)
def command() -> None:
    """The registry in other forms."""


@command.command("parquet")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@app.options(app.registry_option, app.json_option)
def parquet(*, folder: Path, common: app.Common) -> None:
    """Write all records to DIR as partitioned Parquet, for pandas, Spark, BigQuery and others.

    DIR is new, or empty: nothing is overwritten.
    """
    with common.session() as session, opened(session) as index:
        index.lay_out()
        done = export(index, folder, {"registry": session.entry.url, **_VERIFIED})
    rows = ", ".join(f"{count} {table}" for table, count in done.rows.items())
    common.show(
        {"folder": str(done.folder), "commit": index.manifest.commit, "rows": done.rows},
        f"wrote {rows} at commit {index.manifest.commit[:12]} to {done.folder}",
    )
