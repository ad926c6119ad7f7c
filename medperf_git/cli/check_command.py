"""``mpgit check``: the verdict on a transition, for CI, hooks and other doors.

Example:
    $ mpgit check --base origin/main --head HEAD --markdown
"""

from __future__ import annotations

from pathlib import Path

import click

from medperf_git.checks.check import check as judge
from medperf_git.cli import app
from medperf_git.cli.report_text import markdown, text
from medperf_git.store.snapshot import snapshot_at
from medperf_git.vcs import Repository

_CODES = {"complete": 0, "awaiting": 3, "invalid": 1}


@click.command("check")
@click.option("--base", required=True, metavar="REV", help="What stands; '' for nothing yet.")
@click.option("--head", required=True, metavar="REV", help="What is proposed.")
@click.option(
    "--git-dir",
    type=click.Path(exists=True, path_type=Path),
    default=Path(),
    help="The repository (default: here).",
)
@click.option("--markdown", "as_markdown", is_flag=True, help="For a pull request's summary.")
@app.options(app.json_option)
def command(*, base: str, head: str, git_dir: Path, as_markdown: bool, common: app.Common) -> int:
    """Judge the transition from BASE to HEAD; needs no configuration and no network.

    Exit codes: 0 complete, 1 invalid, 3 awaiting approvals.
    """
    with Repository.open(git_dir) as repository:
        before = snapshot_at(repository, repository.resolve(base) if base else None)
        report = judge(before, snapshot_at(repository, repository.resolve(head)))
        shown = markdown(report) if as_markdown else text(report)
        common.show(report.as_dict(), shown.rstrip("\n"))
        return _CODES[report.verdict]
