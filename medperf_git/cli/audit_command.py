"""``mpgit audit``: main's whole history, from the pinned genesis.

Example:
    $ mpgit audit
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from shlex import quote

import click

from medperf_git.cli import app
from medperf_git.progress import Progress
from medperf_git.runtime.machine import cpus
from medperf_git.store.snapshot import snapshot_at
from medperf_git.vcs import Repository
from medperf_git.workflows.allowed_signers import allowed_signers
from medperf_git.workflows.audit import audit, rewritten
from medperf_git.workflows.audit_report import AuditReport
from medperf_git.workflows.own_audit import audit_known
from medperf_git.workflows.own_part_audit import audit_known_part, refuse_whole_tree
from medperf_git.workflows.proven import Remembered
from medperf_git.workflows.tree_audit import audit_tree


@click.command("audit")
@click.option("--from", "after", metavar="REV", help="Trust everything up to this commit.")
@click.option("--head", metavar="REV", help="Default: main, or HEAD with --git-dir.")
@click.option(
    "--git-dir",
    type=click.Path(exists=True, path_type=Path),
    help="Any clone, instead of the registry that this client knows.",
)
@click.option("--genesis", metavar="SHA256", help="With --git-dir: the pinned fingerprint.")
@click.option(
    "--tree", "tree_only", is_flag=True, help="Only the finished tree: every signature, no history."
)
@click.option(
    "--allowed-signers",
    "signers_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write a file for `ssh-keygen -Y verify`.",
)
@click.option("--full", is_flag=True, help="Also what earlier audits of this client have read.")
@app.options(app.registry_option, app.json_option)
def command(
    *,
    after: str | None,
    head: str | None,
    git_dir: Path | None,
    genesis: str | None,
    tree_only: bool,
    signers_file: Path | None,
    full: bool,
    common: app.Common,
) -> int:
    """Replay every transition of main and judge it; exit code 1 if any is refused."""
    door = (
        _clone(git_dir, head, genesis, after)
        if git_dir
        else _known(common, head, after, full=full, tree_only=tree_only)
    )
    with door as (repository, newest, pinned, run):
        if signers_file is not None:
            text = allowed_signers(snapshot_at(repository, newest))
            signers_file.write_text(text, "utf-8")
            app.tell(f"wrote {signers_file}")
        with app.progress("auditing") as step:
            if tree_only:
                report = audit_tree(repository, newest, genesis=pinned, progress=step)
                before = Remembered()
            else:
                report, before = run(step)
        data = report.as_dict() | {"audited_before": asdict(before)}
        common.show(data, lambda: _text(report, before, pinned=pinned is not None))
        if report.accepted:
            return 0
        see = f"git -C {quote(str(repository.path))} show {report.failures[0].commit[:12]}"
        who = "`mpgit audit` says since when" if tree_only else see
        app.next_step(f"rely on nothing from there on, and tell the administrators: {who}")
        return 1


Run = Callable[[Progress], tuple[AuditReport, Remembered]]
Door = tuple[Repository, str, str | None, Run]
"""A repository, its newest commit, the pinned genesis, and how its history is audited."""


@contextmanager
def _clone(
    git_dir: Path, head: str | None, genesis: str | None, after: str | None
) -> Iterator[Door]:
    """Any clone: nothing is remembered of it."""
    with Repository.open(git_dir) as repository:
        newest = repository.resolve(head or "HEAD")
        since = repository.resolve(after) if after else None

        def run(step: Progress) -> tuple[AuditReport, Remembered]:
            report = audit(
                repository, newest, genesis=genesis, after=since, progress=step, processes=cpus()
            )
            return report, Remembered()

        yield repository, newest, genesis, run


@contextmanager
def _known(
    common: app.Common, head: str | None, after: str | None, *, full: bool, tree_only: bool
) -> Iterator[Door]:
    """The registry that this client knows."""
    with common.session() as session:
        if tree_only:
            refuse_whole_tree(session)
        newest = session.resolve(head) if head else session.forge.main() or session.main
        if head is None and not session.mirror.is_ancestor(session.main, newest):
            # An older main is a good history too; this client knows better.
            raise rewritten(session.main, newest)
        since = session.resolve(after) if after else None

        def run(step: Progress) -> tuple[AuditReport, Remembered]:
            if session.scope is not None:
                return audit_known_part(session, newest, after=since, full=full, progress=step)
            return audit_known(session, newest, after=since, full=full, progress=step)

        yield session.mirror, newest, session.entry.genesis, run


def _text(report: AuditReport, before: Remembered, *, pinned: bool) -> str:
    lines = []
    for failure in report.failures[:50]:
        lines.append(f"✗ commit {failure.commit[:12]}")
        for finding in failure.findings()[:20]:
            field = f" ({finding.field})" if finding.field else ""
            lines.append(f"    {finding.path}{field}: {finding.message} [{finding.code}]")
    verdict = "ACCEPTED" if report.accepted else "REFUSED"
    lines.append(f"{verdict}: {report.commits} commits, {report.records} records")
    if before.head:
        lines.append(
            f"audited before: {before.commits} commits, {before.records} records (--full reads all)"
        )
    lines.append(f"checked: {report.checked}")
    lines.append(f"genesis {report.identity}" + ("" if pinned else " (not pinned: --genesis)"))
    return "\n".join(app.printable(line) for line in lines)
